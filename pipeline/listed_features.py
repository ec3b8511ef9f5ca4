"""Features of the videos that a videos.csv names: two arrays of all of them, or files of each.

Below a domain's folder, for a video `v`, whatever of these is there first:

    rgb.npy, flow.npy        (n, T, d) or (n, T, W, d): row i belongs to row i of videos.csv
    v.npz                    with the arrays rgb and flow
    rgb/v.npy, flow/v.npy
    v_rgb.npy, v_flow.npy
    rgb/v/*.npy, flow/v/*.npy  (d,) each, in the order of the numbers in their names

Arrays of one video are (T, W, d), or (t, d): t steps in time, averaged into T segments.
`extractor.txt` may say in a line what made them all.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pipeline import feature_files, npy, npz, time_steps, video_table
from pipeline.errors import UserError
from pipeline.feature_files import FeatureFile

TABLE = "videos.csv"
EXTRACTOR = "extractor.txt"
STREAMS = ("rgb", "flow")
_PICKLES = "files of torch and pickle (.t7, .pt, .pth, .pkl) could run anything and are not opened"
_REMEDY = f"{_PICKLES}; docs/datasets.md says how to convert them"


def place(root: Path, key: str) -> tuple[Path, Path]:
    """Where a video's RGB and flow features are: a file each, the same file, or a folder each.

    Raises UserError: one of the two is missing, or both.
    """
    places = _places(root, key)
    for rgb, flow in places:
        if rgb.exists() and flow.exists():
            return rgb, flow
        if rgb.exists() or flow.exists():
            there, absent = (rgb, flow) if rgb.exists() else (flow, rgb)
            raise UserError(f"{there} has no counterpart {absent.relative_to(root)}; add it")
    tried = ", ".join(str(rgb.relative_to(root)) for rgb, _ in places)
    raise UserError(f"no features of {key!r} there; looked for {tried}; {_REMEDY}")


def _places(root: Path, key: str) -> list[tuple[Path, Path]]:
    rgb, flow = (root / f"{stream}.npy" for stream in STREAMS)
    if rgb.is_file() or flow.is_file():
        return [(rgb, flow)]
    path = PurePosixPath(key)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise UserError(f"video {key!r} is no path below {root}")
    return [
        (root / f"{path}.npz", root / f"{path}.npz"),
        (root / f"rgb/{path}.npy", root / f"flow/{path}.npy"),
        (root / f"{path}_rgb.npy", root / f"{path}_flow.npy"),
        (root / "rgb" / path, root / "flow" / path),
    ]


def first_file(where: Path) -> Path:
    """The file itself, or the first of a folder of frames. Raises UserError: as `frames`."""
    return frames(where)[0] if where.is_dir() else where


def frames(folder: Path) -> list[Path]:
    """The .npy files of a video's frames, in the order of the last number in their names.

    Raises UserError: none, a name without a number, or a number that stands twice.
    """
    paths = [path for path in folder.iterdir() if path.suffix == ".npy" and path.name[0] != "."]
    if not paths:
        raise UserError(f"{folder}: expected .npy files, one a frame, found none; {_REMEDY}")
    numbers = {path: re.findall(r"\d+", path.stem)[-1:] for path in paths}
    order = {path: int(number[0]) for path, number in numbers.items() if number}
    if len(set(order.values())) < len(paths):
        raise UserError(
            f"{folder}: expected a number of its own in every name of {len(paths)} .npy files, "
            "one a frame, such as img_00001.npy; rename them"
        )
    return sorted(paths, key=order.__getitem__)


def read(root: Path, wanted: Collection[str], segments: int) -> Iterator[FeatureFile]:
    """The features of the videos of `root`/videos.csv that are wanted, each when it is asked for.

    Args:
        root: the domain's folder.
        wanted: names of videos; of arrays of all videos, all come.
        segments: T, into which steps in time are averaged.

    Raises UserError: whatever is wrong with one of the files.
    """
    extractor = _extractor(root / EXTRACTOR)
    names = video_table.videos(root / TABLE)
    if (root / "rgb.npy").is_file():
        yield _of_all(root, names, extractor)
        return
    for name in names:
        if name in wanted:
            yield _of_one(root, name, segments, extractor)


def _of_all(root: Path, names: list[str], extractor: str | None) -> FeatureFile:
    paths = place(root, names[0])
    rgb, flow = (
        feature_files.of_videos(path, stream, npy.read(path), names)
        for stream, path in zip(STREAMS, paths, strict=True)
    )
    _require_one_shape(paths[0], rgb, flow)
    return FeatureFile(paths[0], tuple(names), rgb, flow, extractor)


def _of_one(root: Path, key: str, segments: int, extractor: str | None) -> FeatureFile:
    paths = place(root, key)
    rgb, flow = (
        _clips(path, stream, _array(path, stream), segments)
        for stream, path in zip(STREAMS, paths, strict=True)
    )
    _require_one_shape(paths[0], rgb, flow)
    return FeatureFile(paths[0], (key,), rgb, flow, extractor)


def _array(path: Path, stream: str) -> npz.Array:
    """One stream of one video."""
    if path.is_dir():
        return _stacked(frames(path))
    if path.suffix == ".npy":
        return npy.read(path)
    held = npz.read(path, (stream,))
    if stream not in held:
        raise UserError(f"{path}: expected the arrays rgb and flow of one video, {stream} missing")
    return held[stream]


def _stacked(paths: list[Path]) -> npz.Array:
    """Frames (d,) or (1, d) each -> (t, d)."""
    rows = [npy.read(path) for path in paths]
    for path, row in zip(paths, rows, strict=True):
        if row.dtype != rows[0].dtype or row.shape != rows[0].shape or row.size != row.shape[-1]:
            raise UserError(
                f"{path}: expected the features (d,) of one frame, like {paths[0].name} "
                f"({rows[0].dtype}, shape {rows[0].shape}), found {row.dtype}, shape {row.shape}"
            )
    return np.stack([row.reshape(-1) for row in rows])


def _clips(path: Path, stream: str, array: npz.Array, segments: int) -> NDArray[np.float32]:
    """(t, d) or (T, W, d) of one video -> (1, T, W, d)."""
    values = feature_files.as_float32(path, stream, array, "(t, d) or (T, W, d)", (2, 3))
    if not np.isfinite(values).all():
        raise UserError(
            f"{path}: {stream}: values that are not finite as float32; extract the video anew or "
            f"take it out of {TABLE}"
        )
    if values.ndim == 2:
        values = time_steps.averaged(values, segments)[:, np.newaxis]
    return values[np.newaxis]


def _require_one_shape(path: Path, rgb: NDArray[np.float32], flow: NDArray[np.float32]) -> None:
    if rgb.shape != flow.shape:
        raise UserError(
            f"{path}: expected rgb and flow of one shape, found {rgb.shape} and {flow.shape}"
        )


def _extractor(path: Path) -> str | None:
    """The line of `extractor.txt`, if it is there."""
    if not path.is_file():
        return None
    try:
        line = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as fault:
        raise UserError(f"{path}: expected a line in UTF-8 ({fault}); save it so") from None
    if not line or not line.isprintable():
        raise UserError(f"{path}: expected a line that names the extractor, found {line[:100]!r}")
    return line
