"""How a model relates a video's clips to each other, on disk: the attention between them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from pipeline import atomic
from pipeline.errors import UserError

Relations = Mapping[str, NDArray[np.float32]]
"""A model's name -> (n, 2, T, T): of n videos, of rgb and flow, how much each of the T clips (rows,
which sum to 1) takes in of each other."""


def save(path: Path, relations: Relations) -> None:
    """Writes them, the same bytes for the same numbers."""
    atomic.write_file(path, safetensors.numpy.save(dict(sorted(relations.items()))))


def load(path: Path, models: tuple[str, ...], videos: int) -> Relations:
    """Those of some models, of so many videos. Raises UserError: missing, damaged, or of others."""
    try:
        content = safetensors.numpy.load_file(path)
        for name in models:
            shape = content[name].shape
            if shape != (videos, 2, *shape[-1:] * 2) or content[name].dtype != np.float32:
                raise ValueError(f"{name} {shape} for {videos} videos")
        return {name: content[name] for name in models}
    except (KeyError, OSError, SafetensorError, ValueError) as fault:
        raise UserError(
            f"{path}: cannot be read ({fault}); `dvc repro` makes it, `dvc pull` fetches it"
        ) from None
