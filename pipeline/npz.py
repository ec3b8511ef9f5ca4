"""Arrays of an .npz file that somebody else made: never a pickle, every fault in plain words."""

import lzma
import tokenize
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
    *(EOFError, LookupError, MemoryError, OSError, OverflowError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, lzma.LZMAError, tokenize.TokenError, zipfile.BadZipFile),
    *(zlib.error,),
)
# features hardly shrink, names do; what unfolds further was made to fill a machine's memory
_ROOM, _UNFOLDING = 2**26, 50  # bytes that any array may take; times the size of its file


def read(path: Path, names: Iterable[str]) -> dict[str, Array]:
    """Those of the named arrays that the file holds.

    Raises UserError: no .npz file, a damaged one, an array of Python objects, which is a pickle and
    could run anything, or one that unfolds to many times the file.
    """
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: no .npz file, or a damaged one; save it anew with np.savez")
    name = "the file"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            held = {}
            most = max(_ROOM, _UNFOLDING * path.stat().st_size)
            for name in names:
                if name in file:
                    held[name] = _array(file, name, most)
            return held
    except _DAMAGE as fault:
        wrong = " ".join(str(fault).split())
        raise UserError(
            f"{path}: {name} cannot be read ({wrong}); save it anew with np.savez, "
            "texts as np.array(texts, dtype=str)"
        ) from None


def _array(file: Any, name: str, most: int) -> Array:
    """A member of the zip file, which numpy gives back as bytes if it is no array."""
    size = sum(m.file_size for m in file.zip.infolist() if m.filename in (name, f"{name}.npy"))
    if size > most:
        raise ValueError(f"{size} bytes of it are packed into a far smaller file")
    member = file[name]
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
