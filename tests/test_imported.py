"""Imported features in the store: the rows of the index, the same bytes, no mixing of kinds."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from npz_files import arrays, save

from pipeline import checkpoints, imported, index, per_video, shards, store
from pipeline.errors import UserError
from pipeline.index import Video
from pipeline.stages.features import require_fit


def videos(path: str, *keys: str) -> list[Video]:
    return [Video(key, path, None, None, "train", "0") for key in keys]


def written(root: Path, listed: list[Video]) -> bytes:
    """The bytes of the store that is made of these."""
    rows, provenance = imported.rows(root, listed, 5)
    store.write(root / "store", rows, provenance)
    [path] = (root / "store").iterdir()
    return path.read_bytes()


def test_the_store_holds_the_rows_that_the_index_names(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", "z", "x", "left out")
    written(tmp_path, videos("a.npz", "x", "z"))
    read = store.load(tmp_path / "store")
    given = arrays("z", "x", "left out")
    assert read.keys == ("x", "z")
    assert (read.rgb[:, :, 0] == given["rgb"][[1, 0]]).all()
    assert (read.flow[:, :, 0] == given["flow"][[1, 0]]).all()
    assert read.of(["z"]).dim == given["rgb"].shape[-1]


def test_of_the_frames_nothing_is_said(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", "x")
    written(tmp_path, videos("a.npz", "x"))
    with h5py.File(tmp_path / "store/0000.h5") as file:
        assert file["frames"].shape == (1, 2, 1, 0)
        assert file["frames"].dtype == np.int32
        assert file["n_frames"][:].tolist() == [0]
        assert math.isnan(file["fps"][0])


def test_the_same_features_give_the_same_bytes_however_they_are_filed(tmp_path: Path) -> None:
    both = arrays("x", "y")
    save(tmp_path / "1/a.npz", "x", "y", label=["walk", "run"])
    save(tmp_path / "2/b.npz", **{name: array[::-1] for name, array in both.items()})
    save(tmp_path / "3/a.npz", **{name: array[:1] for name, array in both.items()})
    save(tmp_path / "3/b.npz", **{name: array[1:] for name, array in both.items()})
    listed = videos("a.npz", "x", "y")
    first = written(tmp_path / "1", listed)
    assert written(tmp_path / "1", listed) == first
    assert written(tmp_path / "2", videos("b.npz", "x", "y")) == first
    assert written(tmp_path / "3", videos("a.npz", "x") + videos("b.npz", "y")) == first


def test_a_changed_value_changes_its_fingerprint_alone(tmp_path: Path) -> None:
    given = arrays("x", "y")
    given["flow"][1, 0, 0] += 1
    save(tmp_path / "a.npz", "x", "y")
    save(tmp_path / "b.npz", **given)
    before, _ = imported.rows(tmp_path, videos("a.npz", "x", "y"), 5)
    after, _ = imported.rows(tmp_path, videos("b.npz", "x", "y"), 5)
    assert before["x"].fingerprint == after["x"].fingerprint
    assert before["y"].fingerprint != after["y"].fingerprint


def test_a_video_that_no_file_holds_is_told(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", "x")
    with pytest.raises(UserError, match=r"1 videos of the index are in none .*'y' first"):
        imported.rows(tmp_path, videos("a.npz", "x", "y"), 5)


def model_of(root: Path, extractor: str | None) -> checkpoints.Card:
    """The card of a model that learned from such features."""
    save(root / "source.npz", "x", extractor=extractor)
    _, provenance = imported.rows(root, videos("source.npz", "x"), 5)
    return checkpoints.Card(("a", "b"), 4, 2, 0.3, provenance)


def test_two_domains_of_one_extractor_fit_each_other(tmp_path: Path) -> None:
    save(tmp_path / "target.npz", "y", "z", seed=1, extractor="i3d")
    _, provenance = imported.rows(tmp_path, videos("target.npz", "y"), 5)
    model_of(tmp_path, "i3d").require_features(provenance, tmp_path)


@pytest.mark.parametrize(
    ("extractor", "width", "expected"),
    [
        ("tsn", 4, "imported.extractor: the model expects 'i3d', "),
        (None, 4, "imported.extractor: the model expects 'i3d', "),
        ("i3d", 5, "imported.dim: the model expects 4, "),
    ],
)
def test_features_of_another_kind_do_not_fit_the_model(
    tmp_path: Path, extractor: str | None, width: int, expected: str
) -> None:
    other = np.ones((1, 2, width))
    save(tmp_path / "target.npz", "y", rgb=other, flow=other, extractor=extractor)
    _, provenance = imported.rows(tmp_path, videos("target.npz", "y"), 5)
    with pytest.raises(UserError) as caught:
        model_of(tmp_path, "i3d").require_features(provenance, tmp_path)
    assert expected in str(caught.value)


# the stages before


def test_only_a_domain_of_files_of_features_is_imported() -> None:
    assert index.all_imported(videos("a.npz", "x", "y"))
    assert not index.all_imported(videos("a.npz", "x") + videos("y.mp4", "y"))
    assert not index.all_imported([])


def test_frames_and_flow_of_an_imported_domain_are_valid_and_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    why = per_video.why_idle(videos("a.npz", "x"), stream=False)
    assert why == "the domain's features are imported"
    per_video.publish_nothing("decode", "mine", tmp_path / "frames", why)
    per_video.publish_nothing("flow", "mine", tmp_path / "flow", why)
    assert shards.opened(tmp_path / "frames").fingerprints == {}
    contents = [(tmp_path / name / "0000.zip").read_bytes() for name in ("frames", "flow")]
    assert contents[0] == contents[1]
    assert capsys.readouterr().out.startswith("decode mine: nothing to do, ")


@pytest.mark.parametrize(("path", "backbone"), [("x.mp4", "imported"), ("x.npz", "i3d")])
def test_videos_and_imported_features_take_different_backbones(path: str, backbone: str) -> None:
    with pytest.raises(UserError, match="dataset imported and backbone imported go together"):
        require_fit("mine", backbone, videos(path, "x"))


@pytest.mark.parametrize(("path", "backbone"), [("x.mp4", "i3d"), ("x.npz", "imported")])
def test_the_right_backbone_is_let_pass(path: str, backbone: str) -> None:
    require_fit("mine", backbone, videos(path, "x"))
