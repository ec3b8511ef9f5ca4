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
from pipeline.features import Features
from pipeline.network import RelationNetwork
from pipeline.training import predict


class Recorder:
    """Notes the predicted class of each of n videos after each epoch."""

    def __init__(self, videos: Features) -> None:
        self._videos = videos
        self._epochs: list[Tensor] = []

    def __call__(self, epoch: int, model: RelationNetwork) -> None:
        """Notes one epoch; they come in order."""
        classes = predict(model, self._videos).logits.argmax(dim=1)
        self._epochs.append(classes.to("cpu", torch.int16))

    def predicted(self) -> Tensor:
        """(epochs + 1, n) int16; row 0 is the source model."""
        return torch.stack(self._epochs)


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
        return {int(name.removeprefix("seed-")): table for name, table in content.items()}
    except (OSError, SafetensorError, ValueError) as fault:
        raise UserError(
            f"{path}: cannot be read ({fault}); `dvc repro` makes it, `dvc pull` fetches it"
        ) from None
