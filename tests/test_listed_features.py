"""Features listed in a videos.csv: every form gives the same rows, and a fault is one line."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline import imported, npy, time_steps
from pipeline.datasets import list_videos
from pipeline.datasets.hashed_split import hashed_split
from pipeline.datasets.listing import Listed
from pipeline.errors import UserError
from pipeline.index import Video
from pipeline.store import VideoFeatures

KEYS = ("walk/b", "a", "walk/c")  # not sorted: rows of an array follow the table
SEGMENTS, WINDOWS, DIM = 3, 2, 4
Arrays = NDArray[np.float32]


def features(*, windows: bool = True) -> tuple[Arrays, Arrays]:
    shape = (2, len(KEYS), SEGMENTS, WINDOWS, DIM) if windows else (2, len(KEYS), SEGMENTS, DIM)
    rgb, flow = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return rgb, flow


def put(path: Path, array: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def one_array(root: Path, rgb: Arrays, flow: Arrays) -> None:
    put(root / "rgb.npy", rgb)
    put(root / "flow.npy", flow)


def an_npz_a_video(root: Path, rgb: Arrays, flow: Arrays) -> None:
    for key, own, other in zip(KEYS, rgb, flow, strict=True):
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        np.savez(root / f"{key}.npz", rgb=own, flow=other)


def two_folders(root: Path, rgb: Arrays, flow: Arrays) -> None:
    for key, own, other in zip(KEYS, rgb, flow, strict=True):
        put(root / f"rgb/{key}.npy", own)
        put(root / f"flow/{key}.npy", other)


def two_endings(root: Path, rgb: Arrays, flow: Arrays) -> None:
    for key, own, other in zip(KEYS, rgb, flow, strict=True):
        put(root / f"{key}_rgb.npy", own)
        put(root / f"{key}_flow.npy", other)


def a_file_a_frame(root: Path, rgb: Arrays, flow: Arrays) -> None:
    for stream, values in (("rgb", rgb), ("flow", flow)):
        for key, own in zip(KEYS, values, strict=True):
            for number, step in enumerate(own):  # img_10 comes after img_9
                put(root / stream / key / f"img_{number + 8}.npy", step)


Form = Callable[[Path, Arrays, Arrays], None]
OF_ONE_VIDEO: list[Form] = [an_npz_a_video, two_folders, two_endings]


def listing(root: Path, text: str | None = None) -> list[Listed]:
    root.mkdir(parents=True, exist_ok=True)
    if text is None:
        text = "video,label,split\n" + "".join(f"{key},jump,train\n" for key in KEYS)
    (root / "videos.csv").write_text(text)
    return list_videos("imported", root, None)


def rows(root: Path, segments: int = SEGMENTS) -> tuple[dict[str, VideoFeatures], dict[str, Any]]:
    videos = [Video(v.key, v.path, None, None, v.split, "0") for v in listing(root)]
    return imported.rows(root, videos, segments)


@pytest.mark.parametrize("form", [one_array, *OF_ONE_VIDEO])
def test_windows_come_back_bit_for_bit(tmp_path: Path, form: Form) -> None:
    rgb, flow = features()
    form(tmp_path, rgb, flow)
    held, provenance = rows(tmp_path)
    for row, key in enumerate(KEYS):
        assert (held[key].rgb == rgb[row]).all()
        assert (held[key].flow == flow[row]).all()
    assert provenance["imported"] == {"segments": SEGMENTS, "windows": WINDOWS, "dim": DIM}


@pytest.mark.parametrize("form", [one_array, *OF_ONE_VIDEO, a_file_a_frame])
def test_as_many_steps_as_segments_come_back_bit_for_bit(tmp_path: Path, form: Form) -> None:
    rgb, flow = features(windows=False)
    form(tmp_path, rgb, flow)
    held, _ = rows(tmp_path)
    for row, key in enumerate(KEYS):
        assert (held[key].rgb[:, 0] == rgb[row]).all()
        assert (held[key].flow[:, 0] == flow[row]).all()


@pytest.mark.parametrize("form", [*OF_ONE_VIDEO, a_file_a_frame])
def test_other_numbers_of_steps_are_averaged_over_the_segments(tmp_path: Path, form: Form) -> None:
    rgb, flow = features(windows=False)
    form(tmp_path, rgb, flow[:, :2])
    held, provenance = rows(tmp_path, segments=2)
    assert provenance["imported"]["segments"] == 2
    assert (held["a"].rgb[0, 0] == rgb[1, 0]).all()
    assert held["a"].rgb[1, 0] == pytest.approx((rgb[1, 1] + rgb[1, 2]) / 2)
    assert (held["a"].flow[:, 0] == flow[1, :2]).all()


def test_steps_are_shared_out_as_evenly_as_can_be() -> None:
    steps = np.arange(7, dtype=np.float32)[:, None]
    assert time_steps.averaged(steps, 3)[:, 0].tolist() == [0.5, 2.5, 5]
    assert time_steps.averaged(steps[:2], 5)[:, 0].tolist() == [0, 0, 0, 1, 1]
    assert time_steps.averaged(steps[:1], 2)[:, 0].tolist() == [0, 0]
    for count in range(1, 40):
        weights = time_steps.averaged(np.eye(count, dtype=np.float32), 6)
        assert weights.sum(axis=1) == pytest.approx(np.ones(6))
        assert (weights > 0).any(axis=0).all()  # every step has a part


def test_means_are_taken_with_more_digits_than_they_are_kept() -> None:
    steps = np.array([[2**24], [1], [1], [-(2**24)]], np.float32)
    assert time_steps.averaged(steps, 1).tolist() == [[0.5]]


def test_labels_and_splits_are_those_of_the_table(tmp_path: Path) -> None:
    two_folders(tmp_path, *features())
    text = "\ufeffVideo,split,note,label\na,test,x,walk\nwalk/c,train,x,\n"
    assert listing(tmp_path, text) == [
        Listed("a", "rgb/a.npy", "test", "walk"),
        Listed("walk/c", "rgb/walk/c.npy", "train", None),
    ]
    assert listing(tmp_path, "video\na\n") == [Listed("a", "rgb/a.npy", hashed_split("a"))]


def test_the_path_of_frames_is_the_first_ones(tmp_path: Path) -> None:
    a_file_a_frame(tmp_path, *features(windows=False))
    assert listing(tmp_path)[0].path == "rgb/a/img_8.npy"


def test_the_extractor_is_told(tmp_path: Path) -> None:
    one_array(tmp_path, *features())
    (tmp_path / "extractor.txt").write_text("tsn, 25 fps\n")
    assert rows(tmp_path)[1]["imported"]["extractor"] == "tsn, 25 fps"
    (tmp_path / "extractor.txt").write_text("a\nb")
    with pytest.raises(UserError, match="expected a line that names the extractor"):
        rows(tmp_path)


# faults of the table, told by the index


FAULTS = [
    (
        "video\nx\n",
        "line 2: no features of 'x' there; looked for x.npz, rgb/x.npy, x_rgb.npy, rgb/x",
    ),
    ("video\n../a\n", "line 2: video '../a' is no path below"),
    ("video\n/a\n", "line 2: video '/a' is no path below"),
    ("video\n.\n", "line 2: video '.' is no path below"),
    ('video,label\n"",x\n', "line 2: video '' is empty"),
    ('video\n"a\rb"\n', "video 'a\\rb' is empty or holds a NUL or carriage return"),
    ("video\na\na\n", "line 3: 'a' was listed before"),
    ("video,split\na,val\n", "line 2: split 'val' is neither train nor test"),
    ("video,label\na\n", "line 2: 1 fields, the first line has 2"),
    ("name\na\n", "expected a first line with the column video"),
]


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_a_faulty_table_is_told(tmp_path: Path, text: str, expected: str) -> None:
    two_folders(tmp_path, *features())
    with pytest.raises(UserError) as caught:
        listing(tmp_path, text)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/videos.csv: ")


@pytest.mark.parametrize("name", ["rgb/a.npy", "flow/a.npy"])
def test_a_stream_without_the_other_is_told(tmp_path: Path, name: str) -> None:
    two_folders(tmp_path, *features())
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"has no counterpart {name}; add it"):
        listing(tmp_path)


def test_an_array_without_the_other_is_told(tmp_path: Path) -> None:
    one_array(tmp_path, *features())
    (tmp_path / "flow.npy").unlink()
    with pytest.raises(UserError, match=r"rgb\.npy has no counterpart flow\.npy; add it"):
        listing(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("img_8.npy", "img.npy", "a number of its own in every name of 3 .npy files"),
        ("img_8.npy", "img_09.npy", "a number of its own in every name of 3 .npy files"),
    ],
)
def test_frames_without_an_order_are_told(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    a_file_a_frame(tmp_path, *features(windows=False))
    (tmp_path / "flow/a" / old).rename(tmp_path / "flow/a" / new)
    with pytest.raises(UserError, match=expected):
        listing(tmp_path)


# faults of the arrays, told by stage features


def refusal(root: Path) -> str:
    with pytest.raises(UserError) as caught:
        rows(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


ARRAYS: list[tuple[Any, str]] = [
    (np.ones((SEGMENTS, 5), np.float32), "expected features like those of"),
    (np.ones((SEGMENTS, DIM), int), "expected (t, d) or (T, W, d) of float16, float32 or float64"),
    (np.ones(DIM, np.float32), "expected (t, d) or (T, W, d)"),
    (np.ones((1, 1, 1, DIM), np.float32), "expected (t, d) or (T, W, d)"),
    (np.full((SEGMENTS, DIM), np.nan), "values that are not finite as float32"),
    (np.full((SEGMENTS, DIM), 1e39), "values that are not finite as float32"),
]


@pytest.mark.parametrize(("array", "expected"), ARRAYS)
def test_a_faulty_array_of_a_video_is_told(tmp_path: Path, array: Any, expected: str) -> None:
    two_folders(tmp_path, *features(windows=False))
    for stream in ("rgb", "flow"):
        put(tmp_path / stream / "a.npy", array)
    told = refusal(tmp_path)
    assert told.startswith(f"{tmp_path}/rgb/a.npy: ")
    assert expected in told


def test_streams_of_different_form_are_told(tmp_path: Path) -> None:
    two_folders(tmp_path, *features())
    put(tmp_path / "flow/a.npy", np.ones((SEGMENTS, 1, DIM), np.float32))
    assert "expected rgb and flow of one shape, found (1, 3, 2, 4) and (1, 3, 1, 4)" in refusal(
        tmp_path
    )


def test_rows_too_many_are_told(tmp_path: Path) -> None:
    rgb, flow = features()
    one_array(tmp_path, rgb, flow[:2])
    assert refusal(tmp_path).endswith("flow: expected 3 rows, one a key, found 2")


def test_an_npz_without_a_stream_is_told(tmp_path: Path) -> None:
    an_npz_a_video(tmp_path, *features())
    np.savez(tmp_path / "a.npz", rgb=features()[0][1])
    assert "a.npz: expected the arrays rgb and flow of one video, flow missing" in refusal(tmp_path)


def test_frames_of_different_form_are_told(tmp_path: Path) -> None:
    a_file_a_frame(tmp_path, *features(windows=False))
    put(tmp_path / "rgb/a/img_9.npy", np.ones(5, np.float32))
    assert "img_9.npy: expected the features (d,) of one frame, like img_8.npy" in refusal(tmp_path)


# pickles


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["rgb.npy", "rgb/a.npy", "a_rgb.npy", "rgb/a/img_8.npy"])
def test_a_pickle_in_disguise_is_not_opened(tmp_path: Path, name: str) -> None:
    forms: dict[str, Form] = {
        "rgb.npy": one_array,
        "rgb/a.npy": two_folders,
        "a_rgb.npy": two_endings,
        "rgb/a/img_8.npy": a_file_a_frame,
    }
    forms[name](tmp_path, *features(windows=False))
    mark = tmp_path / "executed"
    torch.save(Trap(mark), tmp_path / "trap.t7")
    with (tmp_path / "objects.npy").open("wb") as file:
        np.save(file, np.array([Trap(mark)], dtype=object))
    for content in (
        pickle.dumps(Trap(mark)),
        (tmp_path / "trap.t7").read_bytes(),
        (tmp_path / "objects.npy").read_bytes(),
    ):
        (tmp_path / name).write_bytes(content)
        assert refusal(tmp_path).startswith(f"{tmp_path / name}: no .npy file, or a damaged one")
    assert not mark.exists()


def test_files_of_torch_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for stream in ("rgb", "flow"):
        (tmp_path / stream / "a").mkdir(parents=True)
        torch.save(torch.ones(4), tmp_path / stream / "a" / "img_00001.t7")
        torch.save(torch.ones(1, 4), tmp_path / stream / "b.pt")
    for video, found in (("a", "one a frame, found none"), ("b", "no features of 'b' there")):
        with pytest.raises(UserError) as caught:
            listing(tmp_path, f"video\n{video}\n")
        assert found in str(caught.value)
        assert "are not opened; docs/datasets.md says how to convert them" in str(caught.value)


@pytest.mark.parametrize("cut", [0, 5, 60, 128, 130])
def test_a_cut_off_array_is_told(tmp_path: Path, cut: int) -> None:
    np.save(tmp_path / "a.npy", np.arange(8, dtype=np.float32))
    content = (tmp_path / "a.npy").read_bytes()
    assert npy.read(tmp_path / "a.npy").tolist() == list(range(8))
    (tmp_path / "a.npy").write_bytes(content[:cut])
    with pytest.raises(UserError, match=r"no \.npy file, or a damaged one"):
        npy.read(tmp_path / "a.npy")


def test_an_array_that_claims_to_be_huge_is_told(tmp_path: Path) -> None:
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,), }\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    (tmp_path / "a.npy").write_bytes(start + header.encode())
    with pytest.raises(UserError, match=r"no \.npy file, or a damaged one"):
        npy.read(tmp_path / "a.npy")
