"""Synthetic domains: what the options turn, and what they leave alone."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks import synthetic
from benchmarks.feature_archive import save
from benchmarks.synthetic import CLASSES, CLIPS, DIM, Settings
from pipeline.datasets import imported
from pipeline.errors import UserError

PLAIN = Settings(
    videos=240, shift_rgb=0.0, shift_flow=0.0, imbalance=1.0, stretch=0.0, permuted=0.0
)


def with_(**changed: float) -> Settings:
    return dataclasses.replace(PLAIN, **changed)  # type: ignore[arg-type]


def mean_gap(modality: str, settings: Settings) -> float:
    """Largest distance between the domains' mean features."""
    ours, theirs = (synthetic.domain(name, settings) for name in ("source", "target"))
    return float(np.abs(ours[modality].mean((0, 1)) - theirs[modality].mean((0, 1))).max())


def test_a_domain_is_features_as_a_network_makes_them() -> None:
    arrays = synthetic.domain("target", Settings())
    for name in ("rgb", "flow"):
        assert arrays[name].shape == (Settings.videos, CLIPS, DIM)
        assert arrays[name].dtype == np.float32
        assert arrays[name].min() == 0
        assert np.isfinite(arrays[name]).all()
    assert len(set(arrays["key"])) == Settings.videos


@pytest.mark.parametrize("name", ["source", "target"])
def test_seventy_of_a_hundred_videos_of_every_class_train(name: synthetic.Name) -> None:
    arrays = synthetic.domain(name, Settings())
    for label in (f"class_{number:02d}" for number in range(CLASSES)):
        splits = arrays["split"][arrays["label"] == label]
        assert (splits == "train").mean() == pytest.approx(0.7, abs=0.5 / len(splits) + 1e-9)


def test_a_seed_decides_everything() -> None:
    first, again = (synthetic.domain("target", Settings()) for _ in range(2))
    other = synthetic.domain("target", Settings(seed=1))
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["rgb"] != other["rgb"]).any()


def test_each_modality_has_its_own_shift() -> None:
    assert mean_gap("rgb", PLAIN) < 0.5 * mean_gap("rgb", with_(shift_rgb=1.0))
    assert mean_gap("flow", with_(shift_rgb=1.0)) == mean_gap("flow", PLAIN)
    assert mean_gap("flow", PLAIN) < 0.5 * mean_gap("flow", with_(shift_flow=1.0))


def test_the_source_is_the_same_whatever_the_target() -> None:
    plain, shifted = (synthetic.domain("source", s) for s in (PLAIN, Settings(videos=240)))
    assert all((plain[name] == shifted[name]).all() for name in plain)


def test_without_noise_and_shift_a_class_is_one_video_in_both_domains() -> None:
    quiet = with_(noise=0.0)
    ours, theirs = (synthetic.domain(name, quiet) for name in ("source", "target"))
    for arrays in (ours, theirs):
        third = arrays["rgb"][arrays["label"] == "class_02"]
        assert (third == third[0]).all()
    assert (ours["rgb"] == theirs["rgb"]).all()


def test_class_sizes_fall_by_the_imbalance_and_add_up() -> None:
    assert synthetic.class_sizes(240, 1.0).tolist() == [20] * CLASSES
    sizes = synthetic.class_sizes(4000, 4.0)
    assert sizes.sum() == 4000
    assert sizes[0] / sizes[-1] == pytest.approx(4, rel=0.02)
    assert (np.diff(sizes) < 0).all()


def test_permuted_videos_hold_the_same_clips_in_another_order() -> None:
    quiet = with_(noise=0.0)
    plain, mixed = (
        synthetic.domain("target", s)["flow"] for s in (quiet, with_(noise=0.0, permuted=1.0))
    )
    assert (plain != mixed).any()
    np.testing.assert_array_equal(np.sort(plain, axis=1), np.sort(mixed, axis=1))


def test_stretched_time_keeps_its_ends() -> None:
    quiet, warped = with_(noise=0.0), with_(noise=0.0, stretch=1.0)
    plain, stretched = (synthetic.domain("target", s)["rgb"] for s in (quiet, warped))
    np.testing.assert_allclose(plain[:, [0, -1]], stretched[:, [0, -1]], atol=1e-6)
    assert (plain[:, 1:-1] != stretched[:, 1:-1]).any()


def test_a_time_between_two_clips_is_between_them() -> None:
    clips = np.arange(2 * CLIPS, dtype=float).reshape(1, 1, CLIPS, 2)
    moved = synthetic.at_times(clips, np.array([[0.0, 0.5, 2.0, 3.25, 4.0]]))
    assert moved[0, 0].tolist() == [[0, 1], [1, 2], [4, 5], [6.5, 7.5], [8, 9]]


@pytest.mark.parametrize(
    "wrong", [{"imbalance": 0.5}, {"permuted": 1.5}, {"videos": 12}, {"noise": -1.0}]
)
def test_what_makes_no_domain_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(wrong))}: expected"):
        with_(**wrong)


def test_the_pipeline_takes_the_file(tmp_path: Path) -> None:
    arrays = synthetic.domain("source", PLAIN)
    save(tmp_path / "features.npz", arrays)
    listed = imported.list_videos(tmp_path, None)
    assert [video.key for video in listed] == sorted(arrays["key"])
    assert {video.split for video in listed} == {"train", "test"}
