"""The feature store: clip features of a domain in HDF5, without labels; docs/store.md describes it.

The only importer of h5py. Files are written in one go, in key order, and never changed: the same
features give the same bytes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.shards import LIMIT, spread

SCHEMA = 1
# what h5py raises on a broken file
_DAMAGE = (AttributeError, OSError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class VideoFeatures:
    """What the store holds of one video.

    rgb, flow  (T, W, d) float32: T segments, W windows, d features
    frames     (T, W, F) int32, the frame numbers that each clip was made of
    """

    fingerprint: str
    rgb: NDArray[np.float32]
    flow: NDArray[np.float32]
    frames: NDArray[np.int32]
    n_frames: int
    fps: float


def write(
    folder: Path,
    videos: Mapping[str, VideoFeatures],
    provenance: Mapping[str, Any],
    limit: int = LIMIT,
) -> None:
    """Writes a store; `folder` appears whole or not at all.

    Few videos are held at a time, and each is asked for once a column: `videos` may read them.
    """
    sizes = _sizes(videos)
    with atomic.new_folder(folder) as aside:
        for number, keys in enumerate(spread(sizes, limit)):
            if not keys:
                continue
            # HDF5 fails unintelligibly on a full disk; a file is never twice as large as its rows
            atomic.require_room(aside, 2 * sum(sizes[key] for key in keys))
            with h5py.File(aside / f"{number:04d}.h5", "w") as file:
                file.attrs["schema"] = SCHEMA
                file.attrs["provenance"] = np.bytes_(json.dumps(provenance, sort_keys=True))
                _write_facts(file, keys, videos)
                for name in ("rgb", "flow", "frames"):
                    _write_column(file, name, keys, videos)


def _sizes(videos: Mapping[str, VideoFeatures]) -> dict[str, int]:
    """Bytes of each video: all have the same shape."""
    if not videos:
        return {}
    first = next(iter(videos.values()))
    return dict.fromkeys(videos, first.rgb.nbytes + first.flow.nbytes)


def _write_facts(file: h5py.File, keys: Sequence[str], videos: Mapping[str, VideoFeatures]) -> None:
    rows = [(row.fingerprint, row.n_frames, row.fps) for row in map(videos.__getitem__, keys)]
    fingerprints, n_frames, fps = zip(*rows, strict=True)
    columns = {
        "key": _text(keys),
        "fingerprint": _text(fingerprints),
        "n_frames": np.array(n_frames, np.int64),
        "fps": np.array(fps, np.float64),
    }
    for name, values in columns.items():
        file.create_dataset(name, data=values, fletcher32=True)  # a flipped bit is an error


def _write_column(
    file: h5py.File, name: str, keys: Sequence[str], videos: Mapping[str, VideoFeatures]
) -> None:
    """An array of all videos, a row of chunks at a time: the same bytes as when written at once."""
    first = getattr(videos[keys[0]], name)
    column = file.create_dataset(name, (len(keys), *first.shape), first.dtype, fletcher32=True)
    for start in range(0, len(keys), column.chunks[0]):
        stop = start + column.chunks[0]
        column[start:stop] = np.stack([getattr(videos[key], name) for key in keys[start:stop]])


def _text(values: Sequence[str]) -> NDArray[np.bytes_]:
    """Strings as UTF-8 of one length: HDF5's other kind hangs a reader when damaged."""
    coded = [value.encode() for value in values]
    return np.array(coded, dtype=h5py.string_dtype("utf-8", max(map(len, coded))))


@dataclass(frozen=True)
class Store:
    """A domain's features in memory: row i of every array belongs to keys[i]."""

    folder: Path
    provenance: dict[str, Any]
    keys: tuple[str, ...]
    rgb: NDArray[np.float32]  # (n, T, W, d)
    flow: NDArray[np.float32]  # (n, T, W, d)

    @property
    def dim(self) -> int:
        """d, the width of a feature."""
        return self.rgb.shape[-1]

    def of(self, keys: Sequence[str]) -> Features:
        """The features of some videos, in that order; the windows of a segment are averaged.

        Raises UserError for a video that the store does not hold.
        """
        rows = self._rows(keys)
        rgb, flow = (torch.from_numpy(part[rows].mean(axis=2)) for part in (self.rgb, self.flow))
        return Features(tuple(keys), rgb, flow)

    def windows(self, keys: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """RGB and flow of some videos, each (n, T, W, d), in that order.

        Raises UserError for a video that the store does not hold.
        """
        rows = self._rows(keys)
        return torch.from_numpy(self.rgb[rows]), torch.from_numpy(self.flow[rows])

    def _rows(self, keys: Sequence[str]) -> NDArray[np.int64]:
        position = {key: row for row, key in enumerate(self.keys)}
        absent = [key for key in keys if key not in position]
        if absent:
            raise UserError(
                f"{self.folder}: no features of {len(absent)} videos of the index, "
                f"{absent[0]!r} first; run `dvc repro` to make them"
            )
        return np.array([position[key] for key in keys], dtype=np.int64)


def load(folder: Path) -> Store:
    """Reads a store.

    Raises UserError: nothing there, a damaged file, another schema, or shards of different origin.
    """
    paths = sorted(folder.glob("*.h5"))
    if not paths:
        raise UserError(
            f"{folder}: no feature files; `dvc repro` makes them, `dvc pull` fetches them"
        )
    parts = [_read(path) for path in paths]
    if any(part.provenance != parts[0].provenance for part in parts):
        raise UserError(
            f"{folder}: its files come from different runs; run `dvc repro` or `dvc pull`"
        )
    keys = [key for part in parts for key in part.keys]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return Store(
        folder,
        parts[0].provenance,
        tuple(keys[row] for row in order),
        np.concatenate([part.rgb for part in parts])[order],
        np.concatenate([part.flow for part in parts])[order],
    )


def rows(path: Path) -> Iterator[VideoFeatures]:
    """The videos of one file of a store. Raises UserError for a damaged file or another schema."""
    with _opened(path) as file:
        fingerprints = _own_array(file, "fingerprint").asstr()[:]
        names = ("rgb", "flow", "frames", "n_frames", "fps")
        columns = [_own_array(file, name)[:] for name in names]
    for fingerprint, rgb, flow, frames, n_frames, fps in zip(fingerprints, *columns, strict=True):
        yield VideoFeatures(str(fingerprint), rgb, flow, frames, int(n_frames), float(fps))


def _read(path: Path) -> Store:
    """One file of a store."""
    with _opened(path) as file:
        keys = tuple(file["key"].asstr()[:])
        provenance = json.loads(file.attrs["provenance"])
        if not isinstance(provenance, dict):
            raise ValueError("its provenance is no table")
        return Store(path, provenance, keys, file["rgb"][:], file["flow"][:])


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """A file of a store, checked; what turns out to be damaged while it is read is told."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            schema = int(file.attrs["schema"])
            if schema != SCHEMA:
                raise UserError(
                    f"{path}: schema {schema}, this version reads {SCHEMA}; re-run features"
                )
            key, rgb, flow = (_own_array(file, name) for name in ("key", "rgb", "flow"))
            _require_form(key, rgb, flow, path.stat().st_size)
            yield file
    except _DAMAGE as fault:
        raise UserError(
            f"{path}: damaged ({fault}); delete it, run `python -m pipeline.verify`, which finds "
            "what else is damaged, then `dvc pull` or `dvc repro`"
        ) from None


def _own_array(file: h5py.File, name: str) -> h5py.Dataset:
    """An array of the file. Raises ValueError for what leads elsewhere or has to be unpacked.

    HDF5 follows links to other files, takes raw bytes of any file for an array, and unpacks a few
    bytes into gigabytes; what `write` wrote does nothing of that.
    """
    array = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual:
        raise ValueError(f"{name} is no array of this file")
    made = array.id.get_create_plist()
    if any(made.get_filter(n)[0] != h5py.h5z.FILTER_FLETCHER32 for n in range(made.get_nfilters())):
        raise ValueError(f"{name} is packed")
    return array


def _require_form(key: h5py.Dataset, rgb: h5py.Dataset, flow: h5py.Dataset, size: int) -> None:
    """Raises ValueError if a file of `size` bytes cannot hold what it claims to."""
    if not (rgb.ndim == 4 and rgb.shape == flow.shape and key.shape == rgb.shape[:1]):
        raise ValueError(f"shapes key {key.shape}, rgb {rgb.shape}, flow {flow.shape}")
    if {rgb.dtype, flow.dtype} != {np.dtype(np.float32)} or key.dtype.kind != "S":
        raise ValueError(f"types key {key.dtype}, rgb {rgb.dtype}, flow {flow.dtype}")
    if max(rgb.nbytes, key.nbytes) > size:
        raise ValueError(
            f"key {key.dtype} {key.shape}, rgb {rgb.dtype} {rgb.shape} in {size} bytes"
        )
