"""What PyTorch runs without this project: exported programs (`torch.export`) of the networks.

classifier.pt2  clips rgb, flow (n, T, d) float32 -> logits (s, n, c), one row a seed, and
                probabilities (n, c), as `pipeline.predict` tells them
backbone.pt2    frames (k, F, h, w, 3) and codes of flow (k, F, h, w, 2), uint8 -> two features
                (k, d) float32
"""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, fx, nn

from pipeline import backbones, calibration
from pipeline.checkpoints import Card
from pipeline.network import RelationNetwork
from pipeline.predictor import BACKBONE

CLASSIFIER, FEATURES = "classifier.pt2", "backbone.pt2"
ANY = torch.export.Dim.DYNAMIC


class Ensemble(nn.Module):
    """The networks of all seeds, and the mean of their calibrated probabilities."""

    def __init__(self, networks: Iterable[nn.Module], temperature: float):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.temperature = temperature

    def forward(self, rgb: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Clips (n, T, d) -> logits (s, n, c), as they are, and probabilities (n, c) float64."""
        logits = torch.stack([network(rgb, flow).logits for network in self.networks])
        return logits, calibration.probabilities(logits.double(), self.temperature)


class TwoStreams(nn.Module):
    """Both streams of a backbone, from 8-bit codes."""

    def __init__(self, rgb: nn.Module, flow: nn.Module):
        super().__init__()
        self.rgb = rgb
        self.flow = flow

    def forward(self, frames: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (k, F, h, w, 3) and (k, F, h, w, 2), uint8 -> features (k, d) of each."""
        return self.rgb(_scaled(frames)), self.flow(_scaled(flow))


def _scaled(codes: Tensor) -> Tensor:
    """Codes 0 to 255 -> -1 to 1, channels second."""
    return codes.float().div(255).mul(2).sub(1).movedim(-1, 1)


def write(folder: Path, card: Card, networks: Mapping[int, RelationNetwork]) -> str:
    """Writes the programs of an exported model into its folder; returns PyTorch's version.

    Imported features have no backbone here, and get no program for one.
    """
    temperature = card.training["export"].get("temperature", 1.0)
    ensemble = Ensemble((networks[seed] for seed in sorted(networks)), temperature)
    # two tensors: one that is given twice, PyTorch takes for one input
    clips = (torch.zeros(2, 3, card.dim), torch.zeros(2, 3, card.dim))
    varying = ({0: ANY, 1: ANY}, {0: ANY, 1: ANY})
    (folder / CLASSIFIER).write_bytes(_program(ensemble, clips, varying))
    name = card.features["features"]["backbone"]
    if name in backbones.DIM:
        streams = TwoStreams(
            *(_contiguous(backbones.load(name, s, folder / BACKBONE)) for s in backbones.CHANNELS)
        )
        size = card.features["frames"]["decode"]["size"]
        shape = (2, card.features["frames"]["clips"]["frames"], size, size)
        codes = [torch.zeros(*shape, depth, dtype=torch.uint8) for depth in (3, 2)]
        (folder / FEATURES).write_bytes(_program(streams, tuple(codes), ({0: ANY}, {0: ANY})))
    return torch.__version__.partition("+")[0]


def _contiguous(stream: nn.Module) -> nn.Module:
    """PyTorch warns where weights lie otherwise in memory."""
    return stream.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


@torch.no_grad()
def _program(
    module: nn.Module, examples: tuple[Tensor, ...], varying: tuple[Mapping[int, object], ...]
) -> bytes:
    """The program of a module, the same bytes for the same module.

    Args: examples, of the right shapes; varying, the axes of each that may have other lengths.
    """
    program = torch.export.export(module.eval(), examples, dynamic_shapes=varying)
    for graph in program.graph_module.modules():
        for node in graph.graph.nodes if isinstance(graph, fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # it names this machine's folders
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()
