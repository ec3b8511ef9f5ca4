"""Files of features that a user already has: an .npz with `key`, `rgb` and `flow`, checked.

docs/datasets.md describes them, and the other forms, which `listed_features` reads. A file may also
hold labels; they are not read here.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import npz
from pipeline.errors import UserError

_FLOATS = (np.float16, np.float32, np.float64)


@dataclass(frozen=True, eq=False)
class FeatureFile:
    """What one file holds of n videos.

    keys       n names, not empty
    rgb, flow  (n, T, W, d) float32, finite: T segments, W windows, d features
    extractor  what made them, if the file says so
    """

    path: Path
    keys: tuple[str, ...]
    rgb: NDArray[np.float32]
    flow: NDArray[np.float32]
    extractor: str | None

    @property
    def kind(self) -> dict[str, Any]:
        """What features must have in common to be of use together."""
        _, segments, windows, dim = self.rgb.shape
        named = {} if self.extractor is None else {"extractor": self.extractor}
        return {"segments": segments, "windows": windows, "dim": dim, **named}


def read_all(paths: Iterable[Path]) -> Iterator[FeatureFile]:
    """Reads files of one domain, each when it is asked for.

    Raises UserError: a faulty file, files of different kinds, a key that stands twice.
    """
    return alike(map(read, paths))


def alike(files: Iterable[FeatureFile]) -> Iterator[FeatureFile]:
    """The same files, each when it is asked for.

    Raises UserError: files of different kinds, a key that stands twice.
    """
    first: FeatureFile | None = None
    where: dict[str, Path] = {}
    for file in files:
        first = first or file
        if file.kind != first.kind:
            raise UserError(
                f"{file.path}: expected features like those of {first.path.name}, "
                f"{_words(first.kind)}; found {_words(file.kind)}; "
                "make a domain's files with one extractor"
            )
        for key in file.keys:
            if key in where:
                raise UserError(
                    f"{file.path}: key {key!r} stands in {where[key].name} already; "
                    "take it out, a key names one video"
                )
            where[key] = file.path
        yield file


def _words(kind: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in kind.items())


def read(path: Path) -> FeatureFile:
    """Reads a file and checks all of it.

    Raises UserError: it is damaged or a pickle, an array is missing or is not of the form above.
    """
    arrays = npz.read(path, ("key", "rgb", "flow", "extractor"))
    absent = [name for name in ("key", "rgb", "flow") if name not in arrays]
    if absent:
        raise UserError(
            f"{path}: expected the arrays key, rgb and flow, {' and '.join(absent)} missing; "
            "save it with np.savez(path, key=..., rgb=..., flow=...)"
        )
    keys = npz.texts(path, "key", arrays["key"])
    if "" in keys:
        raise UserError(f"{path}: key: number {keys.index('')} is empty; name every video")
    rgb, flow = (of_videos(path, name, arrays[name], keys) for name in ("rgb", "flow"))
    if rgb.shape != flow.shape:
        raise UserError(
            f"{path}: expected rgb and flow of one shape, "
            f"found {arrays['rgb'].shape} and {arrays['flow'].shape}"
        )
    return FeatureFile(path, tuple(keys), rgb, flow, _extractor(path, arrays.get("extractor")))


def of_videos(path: Path, name: str, array: npz.Array, keys: Sequence[str]) -> NDArray[np.float32]:
    """Features (n, T, d) or (n, T, W, d) of any precision -> (n, T, W, d) float32, finite."""
    values = as_float32(path, name, array, "(n, T, d) or (n, T, W, d)", (3, 4))
    if len(values) != len(keys):
        raise UserError(f"{path}: {name}: expected {len(keys)} rows, one a key, found {len(array)}")
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not finite.all():
        first = keys[int(finite.argmin())]
        raise UserError(
            f"{path}: {name}: {np.count_nonzero(~finite)} of {len(keys)} videos have values that "
            f"are not finite as float32, {first!r} first; extract these anew or take them out"
        )
    return values[:, :, np.newaxis] if values.ndim == 3 else values


def as_float32(
    path: Path, name: str, array: npz.Array, form: str, dimensions: Collection[int]
) -> NDArray[np.float32]:
    """An array of features of any precision as float32.

    Raises UserError: other types, another number of dimensions than `form` says, or one that is 0.
    """
    floats = array.dtype.newbyteorder("=") in _FLOATS
    if not floats or array.ndim not in dimensions or not array.size:
        raise UserError(
            f"{path}: {name}: expected {form} of float16, float32 or float64, "
            f"none of them 0; found {array.dtype} of shape {array.shape}"
        )
    with np.errstate(over="ignore"):  # too large for float32 is not finite, and said elsewhere
        return array.astype(np.float32)


def _extractor(path: Path, array: npz.Array | None) -> str | None:
    if array is None:
        return None
    if array.ndim != 0:
        raise UserError(
            f"{path}: extractor: expected one string, found shape {array.shape}; "
            "save it as np.array('its name')"
        )
    return npz.texts(path, "extractor", array.reshape(1))[0]
