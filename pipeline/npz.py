"""Arrays of an .npz file that somebody else made: never a pickle, every fault in plain words."""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

Array = NDArray[Any]
# what numpy and zipfile raise on a broken or hostile file
_DAMAGE = (
    *(EOFError, LookupError, MemoryError, OSError, OverflowError, RuntimeError, ValueError),
    *(zipfile.BadZipFile, zlib.error),
)


def read(path: Path, names: Iterable[str]) -> dict[str, Array]:
    """Those of the named arrays that the file holds.

    Raises UserError: no .npz file, a damaged one, or an array of Python objects, which is a pickle
    and could run anything.
    """
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: no .npz file, or a damaged one; save it anew with np.savez")
    name = "the file"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            held = {}
            for name in names:
                if name in file:
                    held[name] = _array(file[name])
            return held
    except _DAMAGE as fault:
        wrong = " ".join(str(fault).split())
        raise UserError(
            f"{path}: {name} cannot be read ({wrong}); save it anew with np.savez, "
            "texts as np.array(texts, dtype=str)"
        ) from None


def _array(member: object) -> Array:
    """A member of the zip file, which numpy gives back as bytes if it is no array."""
    if not isinstance(member, np.ndarray):
        raise ValueError("no array")
    return member


def texts(path: Path, name: str, array: Array, count: int | None = None) -> list[str]:
    """An array of strings as a list; `count`: how many there have to be.

    Raises UserError: not of one dimension, not of strings, another number of them, or one that is
    no text in UTF-8 or holds a NUL or a carriage return, which the tables cannot hold.
    """
    if array.ndim != 1 or array.dtype.kind != "U":
        raise UserError(
            f"{path}: {name}: expected strings of shape (n,), found {array.dtype} of shape "
            f"{array.shape}; save it as np.array(texts, dtype=str)"
        )
    if count is not None and len(array) != count:
        raise UserError(f"{path}: {name}: expected {count}, one a key, found {len(array)}")
    try:
        values: list[str] = array.tolist()
        faulty = [value for value in values if "\0" in value or "\r" in value]
        "".join(values).encode()
    except (SystemError, ValueError) as fault:  # numpy's and Python's word for no letters
        raise UserError(f"{path}: {name}: a string that is no text ({fault}); mend it") from None
    if faulty:
        raise UserError(f"{path}: {name}: {faulty[0]!r} holds a NUL or carriage return; rename it")
    return values
