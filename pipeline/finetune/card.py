"""The card of fine-tuned two-stream networks on disk, and the networks that it stands for."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pipeline import backbones
from pipeline.checkpoints import ModelCard
from pipeline.errors import UserError
from pipeline.finetune.network import DROPOUT, TwoStream
from pipeline.joint.method import Domain

TUNABLE: dict[str, backbones.Name] = {"i3d": "i3d", "i3d_nano": "i3d_nano"}
STREAMS: tuple[backbones.Stream, ...] = ("rgb", "flow")


@dataclass(frozen=True, kw_only=True)
class FinetunedCard(ModelCard):
    """What such a network is.

    backbone    whose form the two streams have
    method      that trained it
    statistics  the domain whose statistics normalise what the network is tested on
    """

    layers: int = 1
    dropout: float = DROPOUT
    backbone: str
    method: str
    statistics: Domain

    def __post_init__(self) -> None:
        if self.backbone not in TUNABLE or self.statistics not in ("source", "target"):
            raise UserError(
                f"card of a fine-tuned model: backbone {self.backbone!r}, statistics "
                f"{self.statistics!r}; expected one of {', '.join(TUNABLE)}, and source or target"
            )

    def new_network(self, seed: int) -> TwoStream:
        """A network of this form, its backbones with random weights."""
        name = TUNABLE[self.backbone]
        with torch.random.fork_rng(devices=[]):
            rgb, flow = (backbones.build(name, s, classes=1) for s in STREAMS)
        return _two_stream(name, rgb, flow, len(self.classes), seed)


def pretrained(backbone: str, folder: Path, classes: int, seed: int) -> TwoStream:
    """A network that begins with the published weights in `folder`, and classifiers of a seed.

    Raises UserError: weights are missing or of another network.
    """
    name = TUNABLE[backbone]
    rgb, flow = (backbones.trainable(name, stream, folder) for stream in STREAMS)
    return _two_stream(name, rgb, flow, classes, seed)


def _two_stream(
    name: backbones.Name, rgb: nn.Module, flow: nn.Module, classes: int, seed: int
) -> TwoStream:
    """A network of two I3D, without the classifiers that they came with."""
    for backbone in (rgb, flow):
        del backbone.logits
    return TwoStream(rgb, flow, dim=backbones.dim(name), classes=classes, seed=seed)
