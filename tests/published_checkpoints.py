"""Checkpoints as others publish them, made from the papers' tables and not from our networks."""

import torch
from torch import Tensor

# Szegedy et al., CVPR 2015, table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
INCEPTION = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}


def i3d_convolutions(in_channels: int) -> dict[str, tuple[int, int, int]]:
    """Outputs, inputs and kernel size of each convolution that batch normalisation follows."""
    found = {
        "Conv3d_1a_7x7": (64, in_channels, 7),
        "Conv3d_2b_1x1": (64, 64, 1),
        "Conv3d_2c_3x3": (192, 64, 3),
    }
    inputs = 192
    for block, (one, reduce3, three, reduce5, five, pool) in INCEPTION.items():
        found[f"Mixed_{block}.b0"] = (one, inputs, 1)
        found[f"Mixed_{block}.b1a"] = (reduce3, inputs, 1)
        found[f"Mixed_{block}.b1b"] = (three, reduce3, 3)
        found[f"Mixed_{block}.b2a"] = (reduce5, inputs, 1)
        found[f"Mixed_{block}.b2b"] = (five, reduce5, 3)
        found[f"Mixed_{block}.b3b"] = (pool, inputs, 1)
        inputs = one + three + five + pool
    return found


def i3d_checkpoint(in_channels: int, *, batches_tracked: bool = True) -> dict[str, Tensor]:
    """Random weights under the names of rgb_imagenet.pt and flow_imagenet.pt.

    PyTorch counts a normalisation's batches since 0.4.1; older checkpoints lack the counters.
    """
    draw = torch.Generator().manual_seed(in_channels)
    state: dict[str, Tensor] = {}
    for name, (outputs, inputs, kernel) in i3d_convolutions(in_channels).items():
        taps = inputs * kernel**3
        weight = torch.randn(outputs, inputs, kernel, kernel, kernel, generator=draw)
        state[f"{name}.conv3d.weight"] = weight * (2 / taps) ** 0.5
        state[f"{name}.bn.weight"] = torch.rand(outputs, generator=draw) + 0.5
        state[f"{name}.bn.bias"] = torch.randn(outputs, generator=draw) / 10
        state[f"{name}.bn.running_mean"] = torch.randn(outputs, generator=draw) / 10
        state[f"{name}.bn.running_var"] = torch.rand(outputs, generator=draw) + 0.5
        if batches_tracked:
            state[f"{name}.bn.num_batches_tracked"] = torch.tensor(7)
    state["logits.conv3d.weight"] = torch.randn(400, 1024, 1, 1, 1, generator=draw) / 32
    state["logits.conv3d.bias"] = torch.randn(400, generator=draw)
    return state
