"""The feature store: a plain HDF5 file, the same bytes for the same features, no label."""

import json
import random
import time
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from pipeline import store
from pipeline.errors import UserError
from pipeline.store import VideoFeatures

PROVENANCE: dict[str, Any] = {"version": 1, "features": {"backbone": "i3d_nano"}, "größe": "ü"}
SEGMENTS, WINDOWS, DIM, FRAMES = 3, 2, 4, 8
KEYS = ["walk/b.mp4", "walk/a b.mp4", "日本/😀.mkv", "P01.MP4#17", "x" * 300, "a"]


def row(number: int) -> VideoFeatures:
    drawn = np.random.default_rng(number)
    return VideoFeatures(
        fingerprint=f"{number:064x}",
        rgb=drawn.random((SEGMENTS, WINDOWS, DIM), np.float32),
        flow=drawn.random((SEGMENTS, WINDOWS, DIM), np.float32),
        frames=drawn.integers(0, 99, (SEGMENTS, WINDOWS, FRAMES), np.int32),
        n_frames=100 + number,
        fps=25.0 + number / 3,
    )


def rows(count: int = len(KEYS)) -> dict[str, VideoFeatures]:
    keys = KEYS + [f"more/{number}.mp4" for number in range(count)]
    return {key: row(number) for number, key in enumerate(keys[:count])}


def write(folder: Path, count: int = len(KEYS), **how: Any) -> Path:
    store.write(folder, rows(count), PROVENANCE, **how)
    return folder / "0000.h5"


# what a file holds


def test_any_hdf5_reader_finds_the_documented_schema(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "out")) as file:
        assert dict(file.attrs) == {"schema": 1, "provenance": file.attrs["provenance"]}
        assert json.loads(file.attrs["provenance"]) == PROVENANCE
        keys = file["key"].asstr()[:].tolist()
        assert keys == sorted(KEYS)
        expected = [rows()[key] for key in keys]
        assert file["fingerprint"].asstr()[:].tolist() == [row.fingerprint for row in expected]
        for name, kind in (("rgb", "f4"), ("flow", "f4"), ("frames", "i4"), ("n_frames", "i8")):
            assert file[name].dtype == np.dtype(kind)
            assert (file[name][:] == [getattr(row, name) for row in expected]).all()
        assert file["fps"].dtype == np.float64
        assert file["fps"][:].tolist() == [row.fps for row in expected]
        assert file["rgb"].shape == (len(KEYS), SEGMENTS, WINDOWS, DIM)
        assert file["frames"].shape == (len(KEYS), SEGMENTS, WINDOWS, FRAMES)


def test_the_file_has_no_place_for_a_label(tmp_path: Path) -> None:
    names: list[str] = []
    with h5py.File(write(tmp_path / "out")) as file:
        file.visit(names.append)
    assert sorted(names) == ["fingerprint", "flow", "fps", "frames", "key", "n_frames", "rgb"]
    assert not {"label", "labels", "class"} & set(VideoFeatures.__dataclass_fields__)


def test_the_same_features_give_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "out", 40).read_bytes()
    time.sleep(1.1)  # HDF5 would note whole seconds
    backwards = dict(reversed(rows(40).items()))
    store.write(tmp_path / "out", backwards, dict(reversed(PROVENANCE.items())))
    assert (tmp_path / "out/0000.h5").read_bytes() == first
    store.write(tmp_path / "other_name", rows(40), PROVENANCE)
    assert (tmp_path / "other_name/0000.h5").read_bytes() == first


def test_a_new_video_leaves_most_files_of_a_large_store_as_they_were(tmp_path: Path) -> None:
    size = 2 * 4 * SEGMENTS * WINDOWS * DIM
    write(tmp_path / "a", 100, limit=20 * size)
    write(tmp_path / "b", 101, limit=20 * size)
    before, after = ({p.name: p.read_bytes() for p in (tmp_path / d).iterdir()} for d in "ab")
    assert before.keys() == after.keys()
    assert len(before) == 8
    assert sum(before[name] != after[name] for name in before) == 1


def at_once(path: Path, count: int) -> None:
    """The file as HDF5 writes it out of whole arrays."""
    named = sorted(rows(count).items())
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = 1
        file.attrs["provenance"] = np.bytes_(json.dumps(PROVENANCE, sort_keys=True))
        for name, texts in (
            ("key", [key for key, _ in named]),
            ("fingerprint", [row.fingerprint for _, row in named]),
        ):
            longest = max(len(text.encode()) for text in texts)
            kind = h5py.string_dtype("utf-8", longest)
            values = np.array([text.encode() for text in texts], dtype=kind)
            file.create_dataset(name, data=values, fletcher32=True)
        for name in ("n_frames", "fps", "rgb", "flow", "frames"):
            values = np.stack([getattr(row, name) for _, row in named])
            file.create_dataset(name, data=values, fletcher32=True)


@pytest.mark.parametrize("count", [1, 7, 3000])
def test_written_in_parts_it_has_the_bytes_of_a_single_writing(count: int, tmp_path: Path) -> None:
    at_once(tmp_path / "once.h5", count)
    assert write(tmp_path / "out", count).read_bytes() == (tmp_path / "once.h5").read_bytes()


class Lent(Mapping[str, VideoFeatures]):
    """Videos that are made when asked for; counts how many are held at the same time."""

    def __init__(self, count: int) -> None:
        self.numbers = {f"{number:05d}.mp4": number for number in range(count)}
        self.held, self.most = 0, 0

    def __getitem__(self, key: str) -> VideoFeatures:
        made = row(self.numbers[key])
        self.held += 1
        self.most = max(self.most, self.held)
        weakref.finalize(made, self._back)
        return made

    def _back(self) -> None:
        self.held -= 1

    def __iter__(self) -> Iterator[str]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


def test_no_more_videos_are_held_than_a_part_has(tmp_path: Path) -> None:
    lent = Lent(4000)
    store.write(tmp_path / "out", lent, PROVENANCE)
    assert lent.most < 1500
    assert store.load(tmp_path / "out").keys == tuple(lent)


def test_the_rows_of_a_file_come_back_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path / "out")
    for back, (_, written) in zip(store.rows(path), sorted(rows().items()), strict=True):
        for field in fields(VideoFeatures):
            assert np.array_equal(getattr(back, field.name), getattr(written, field.name))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="damaged"):
        next(store.rows(path))


# reading


def test_what_was_written_is_read_in_the_order_of_keys(tmp_path: Path) -> None:
    write(tmp_path / "out")
    loaded = store.load(tmp_path / "out")
    assert loaded.keys == tuple(sorted(KEYS))
    assert loaded.provenance == PROVENANCE
    assert loaded.dim == DIM
    for number, key in enumerate(loaded.keys):
        assert (loaded.rgb[number] == rows()[key].rgb).all()
        assert (loaded.flow[number] == rows()[key].flow).all()


@pytest.mark.parametrize("count", [1, 2, 30])
def test_several_files_read_like_one(count: int, tmp_path: Path) -> None:
    write(tmp_path / "one", count)
    write(tmp_path / "many", count, limit=100)
    one, many = (store.load(tmp_path / name) for name in ("one", "many"))
    assert len(list((tmp_path / "many").iterdir())) == {1: 1, 2: 1, 30: 24}[count]
    assert many.keys == one.keys == tuple(sorted(rows(count)))
    assert (many.rgb == one.rgb).all()
    assert (many.flow == one.flow).all()


def test_windows_of_a_segment_are_averaged(tmp_path: Path) -> None:
    write(tmp_path / "out")
    features = store.load(tmp_path / "out").of(["a", "walk/b.mp4"])
    assert features.keys == ("a", "walk/b.mp4")
    assert features.rgb.shape == (2, SEGMENTS, DIM)
    assert features.rgb.dtype == torch.float32
    for number, key in enumerate(features.keys):
        video = rows()[key]
        for part, expected in ((features.rgb, video.rgb), (features.flow, video.flow)):
            mean = (expected[:, 0].astype(float) + expected[:, 1]) / 2
            assert np.abs(part[number].numpy() - mean).max() < 1e-6


def test_windows_of_a_segment_can_be_had_apart(tmp_path: Path) -> None:
    write(tmp_path / "out")
    rgb, flow = store.load(tmp_path / "out").windows(["walk/b.mp4", "a"])
    for number, key in enumerate(("walk/b.mp4", "a")):
        assert np.array_equal(rgb[number].numpy(), rows()[key].rgb)
        assert np.array_equal(flow[number].numpy(), rows()[key].flow)


def test_features_come_in_the_order_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "out")
    loaded = store.load(tmp_path / "out")
    forth, back = loaded.of(KEYS), loaded.of(KEYS[::-1])
    assert torch.equal(forth.rgb, back.rgb.flip(0))


def test_missing_videos_are_counted_and_named(tmp_path: Path) -> None:
    write(tmp_path / "out")
    with pytest.raises(UserError, match=r"no features of 2 videos of the index, 'b' first"):
        store.load(tmp_path / "out").of(["a", "b", "c"])


# what can go wrong


@pytest.mark.parametrize("make", ["missing", "empty"])
def test_an_empty_store_says_what_makes_it(make: str, tmp_path: Path) -> None:
    if make == "empty":
        (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=r"out: no feature files; `dvc repro` makes them"):
        store.load(tmp_path / "out")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.95, 0.999])
def test_a_file_that_was_cut_off_is_refused(share: float, tmp_path: Path) -> None:
    path = write(tmp_path / "out", 50)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"0000\.h5: damaged"):
        store.load(tmp_path / "out")


@pytest.mark.parametrize("name", ["rgb", "flow", "key"])
def test_a_flipped_bit_of_the_data_is_refused(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "out", 50)
    with h5py.File(path) as file:
        place = file[name].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"0000\.h5: damaged"):
        store.load(tmp_path / "out")


def test_flipped_bits_of_the_structure_are_refused_or_harmless(tmp_path: Path) -> None:
    """Anywhere in the first kilobytes: names, shapes, types, attributes, where the data stands."""
    path = write(tmp_path / "out", 4)
    whole, good = path.read_bytes(), store.load(tmp_path / "out")
    drawn = random.Random(0)
    refused = 0
    for place in range(0, 6000, 7):
        flipped = whole[place] ^ (1 << drawn.randrange(8))
        path.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
        try:
            features = store.load(tmp_path / "out").of(good.keys)
        except UserError:
            refused += 1
        else:
            assert features.rgb.shape == (4, SEGMENTS, DIM)
    assert refused > 50


def change(path: Path, name: str, values: Any) -> None:
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = values


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("rgb", np.zeros((5, SEGMENTS, WINDOWS, DIM), np.float32)),
        ("flow", np.zeros((6, SEGMENTS, WINDOWS, DIM + 1), np.float32)),
        ("rgb", np.zeros((6, SEGMENTS, DIM), np.float32)),
        ("rgb", np.zeros((6, SEGMENTS, WINDOWS, DIM), np.float64)),
        ("key", ["a", "b"]),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(
    name: str, values: Any, tmp_path: Path
) -> None:
    change(write(tmp_path / "out"), name, values)
    with pytest.raises(UserError, match="damaged"):
        store.load(tmp_path / "out")


@pytest.mark.parametrize("name", ["rgb", "flow", "key"])
def test_a_file_without_one_of_its_arrays_is_refused(name: str, tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "out"), "a") as file:
        del file[name]
    with pytest.raises(UserError, match="damaged"):
        store.load(tmp_path / "out")


def test_another_schema_is_named(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "out"), "a") as file:
        file.attrs["schema"] = 2
    with pytest.raises(UserError, match="schema 2, this version reads 1; re-run features"):
        store.load(tmp_path / "out")


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with h5py.File(tmp_path / "out/0000.h5", "w") as file:
        file["features"] = np.zeros(3)
    with pytest.raises(UserError, match="damaged"):
        store.load(tmp_path / "out")


def test_files_of_two_runs_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path / "out", 30, limit=1000)
    store.write(tmp_path / "other", rows(30), {**PROVENANCE, "version": 2}, limit=1000)
    (tmp_path / "other/0001.h5").replace(tmp_path / "out/0001.h5")
    with pytest.raises(UserError, match="its files come from different runs"):
        store.load(tmp_path / "out")
