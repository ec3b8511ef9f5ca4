"""Writing the .npz files that `dataset: imported` reads."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic import write_file


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes an .npz file, whole or not at all; the same bytes for the same arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_file(path, buffer.getvalue())
