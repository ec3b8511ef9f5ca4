"""What the model of every epoch predicts, for rules of reporting that look at several epochs.

Written by `adapt`, which knows no label; `evaluate` turns it into the mean over the last epochs
(the EPIC-Kitchens rule) and into the oracle, the best epoch by target labels, reported apart.
"""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from pipeline import atomic
from pipeline.errors import UserError


def save(path: Path, predicted: Mapping[int, Tensor]) -> None:
    """Writes the predictions of each seed."""
    content = {f"seed-{seed}": table for seed, table in sorted(predicted.items())}
    atomic.write_file(path, safetensors.torch.save(content))


def load(path: Path) -> dict[int, Tensor]:
    """The predictions of each seed: (epochs + 1, n) int16, videos in the index's order.

    Raises UserError: the file is missing or damaged.
    """
    try:
        content = safetensors.torch.load_file(path)
        if any(table.ndim != 2 or table.dtype != torch.int16 for table in content.values()):
            raise ValueError("tables of another form")
        return {int(name.removeprefix("seed-")): table for name, table in content.items()}
    except (KeyError, OSError, SafetensorError, ValueError) as fault:
        raise UserError(
            f"{path}: cannot be read ({fault}); `dvc repro` makes it, `dvc pull` fetches it"
        ) from None
