"""The array of an .npy file that somebody else made: never a pickle, every fault in plain words."""

import tokenize
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.npz import Array

# what numpy raises on a broken or hostile file
_DAMAGE = (
    *(EOFError, LookupError, MemoryError, OSError, OverflowError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, tokenize.TokenError),
)


def read(path: Path) -> Array:
    """The array, read from the disk as it is used.

    Raises UserError: no .npy file, a damaged or empty one, or Python objects, which are a pickle
    and could run anything.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except _DAMAGE as fault:
        wrong = " ".join(str(fault).split())
        raise UserError(
            f"{path}: no .npy file, or a damaged one ({wrong}); save numbers anew with np.save"
        ) from None
