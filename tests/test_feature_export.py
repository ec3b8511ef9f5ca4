"""The store as NumPy files, and back: the same features, bit for bit, and nothing overwritten."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import feature_export, imported, index, paths, store
from pipeline.datasets import list_videos
from pipeline.errors import UserError
from pipeline.index import Video
from pipeline.store import VideoFeatures

KEYS = ("walk/b.mp4", "a,b\n.avi", "ü#3")
LABELS = {"walk/b.mp4": "walk", "a,b\n.avi": "sit, down"}
EXTRACTED: dict[str, Any] = {"version": 2, "features": {"backbone": "i3d_nano"}, "flow": {}}


def videos() -> list[Video]:
    return [
        Video(key, key, None, None, "test" if row else "train", "0") for row, key in enumerate(KEYS)
    ]


def write(folder: Path, provenance: dict[str, Any], seed: int = 0) -> store.Store:
    """A store of these videos and one that the index does not name."""
    generator = np.random.default_rng(seed)
    rows = {}
    for key in (*KEYS, "other"):
        rgb, flow = generator.normal(size=(2, 5, 2, 4)).astype(np.float32)
        frames = np.zeros((5, 2, 16), np.int32)
        rows[key] = VideoFeatures("0", rgb, flow, frames, n_frames=9, fps=25.0)
    store.write(folder, rows, provenance)
    return store.load(folder)


def back(root: Path, goal: Path) -> store.Store:
    """What a domain that holds such a folder makes of it."""
    listed = [
        Video(v.key, v.path, None, None, v.split, "0") for v in list_videos("imported", root, None)
    ]
    assert all(video.imported for video in listed)
    store.write(goal, *imported.rows(root, listed, segments=5))
    return store.load(goal)


@pytest.mark.parametrize("a_file_a_video", [False, True])
def test_the_same_features_labels_and_splits_come_back(
    tmp_path: Path, a_file_a_video: bool
) -> None:
    held = write(tmp_path / "store", EXTRACTED)
    out = tmp_path / "out"
    feature_export.export(held, videos(), LABELS, out, a_file_a_video=a_file_a_video)
    again = back(out, tmp_path / "again")
    assert again.keys == tuple(sorted(KEYS))
    for mine, theirs in zip(held.windows(again.keys), again.windows(again.keys), strict=True):
        assert mine.numpy().tobytes() == theirs.numpy().tobytes()
    listed = {video.key: video for video in list_videos("imported", out, None)}
    assert {key: listed[key].label for key in KEYS} == {**dict.fromkeys(KEYS), **LABELS}
    assert {key: listed[key].split for key in KEYS} == {v.key: v.split for v in videos()}


def test_imported_features_come_back_as_the_same_store(tmp_path: Path) -> None:
    feature_export.export(write(tmp_path / "x", EXTRACTED), videos(), {}, tmp_path / "out")
    first = back(tmp_path / "out", tmp_path / "first")
    feature_export.export(first, videos(), {}, tmp_path / "again")
    back(tmp_path / "again", tmp_path / "second")
    assert (tmp_path / "first/0000.h5").read_bytes() == (tmp_path / "second/0000.h5").read_bytes()


def test_arrays_are_in_the_order_of_the_table(tmp_path: Path) -> None:
    held = write(tmp_path / "store", EXTRACTED)
    feature_export.export(held, videos(), {}, tmp_path / "out")
    rgb = np.load(tmp_path / "out/rgb.npy")
    assert rgb.shape == (3, 5, 2, 4)
    assert rgb.dtype == np.float32
    assert (tmp_path / "out/videos.csv").read_text().startswith("video,split\n")
    assert (rgb[-1] == held.windows(["ü#3"])[0].numpy()[0]).all()


def test_the_same_store_gives_the_same_bytes(tmp_path: Path) -> None:
    held = write(tmp_path / "store", EXTRACTED)
    for name in ("one", "two"):
        feature_export.export(held, videos(), LABELS, tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["extractor.txt", "flow.npy", "provenance.json", "rgb.npy", "videos.csv"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_features_of_different_origin_are_told_apart(tmp_path: Path) -> None:
    other = {**EXTRACTED, "flow": {"bound": 10}}
    for name, provenance in (("one", EXTRACTED), ("two", other), ("three", EXTRACTED)):
        held = write(tmp_path / f"{name}-store", provenance, seed=len(name))
        feature_export.export(held, videos(), {}, tmp_path / name)
    one, two, three = (
        back(tmp_path / name, tmp_path / f"{name}-again").provenance
        for name in ("one", "two", "three")
    )
    assert one == three != two
    assert json.loads((tmp_path / "two/provenance.json").read_text()) == other
    assert one["imported"]["extractor"].startswith("vidshift i3d_nano, provenance ")


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    held = write(tmp_path / "store", EXTRACTED)
    with pytest.raises(UserError, match="is there already; name a folder"):
        feature_export.export(held, videos(), {}, tmp_path)
    assert (tmp_path / "store").is_dir()


@pytest.mark.parametrize("key", ["/x", "../x", "a/../b", "a//b"])
def test_a_name_that_is_no_path_gets_no_file(tmp_path: Path, key: str) -> None:
    row = VideoFeatures(
        "", np.ones((1, 1, 1), "f4"), np.ones((1, 1, 1), "f4"), np.zeros((1, 1, 0), "i4"), 1, 1.0
    )
    store.write(tmp_path / "store", {key: row}, EXTRACTED)
    listed = [Video(key, "a.npz", None, None, "train", "0")]
    held = store.load(tmp_path / "store")
    with pytest.raises(UserError, match="is no path for a file; leave --a-file-a-video out"):
        feature_export.export(held, listed, {}, tmp_path / "out", a_file_a_video=True)
    assert not (tmp_path / "out").exists()
    feature_export.export(held, listed, {}, tmp_path / "out")
    assert back(tmp_path / "out", tmp_path / "again").keys == (key,)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no feature files; `dvc repro` makes them"):
        feature_export.main(["mine", "out"])
    write(paths.features("mine"), EXTRACTED)
    index.write_videos(paths.videos("mine"), videos())
    index.write_labels(paths.labels("mine"), LABELS)
    feature_export.main(["mine", "out"])
    assert capsys.readouterr().out == "out: 3 videos, T = 5, W = 2, d = 4, rgb and flow\n"
