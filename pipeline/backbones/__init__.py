"""Video networks that turn a clip into one feature vector.

`load` is the door for feature extraction; the networks themselves stand in `i3d` and `i3d_r50`.
Nothing heavy is imported before a network is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

Name = Literal["i3d", "i3d_nano", "i3d_r50", "i3d_tuned", "i3d_nano_tuned"]
Stream = Literal["rgb", "flow"]

CHANNELS: dict[Stream, int] = {"rgb": 3, "flow": 2}
WIDTH: dict[Name, float] = {
    **{"i3d": 1.0, "i3d_tuned": 1.0},
    **{"i3d_nano": 0.25, "i3d_nano_tuned": 0.25},
}
DIM: dict[Name, int] = {
    **{"i3d": 1024, "i3d_tuned": 1024},
    **{"i3d_nano": 256, "i3d_nano_tuned": 256},
    "i3d_r50": 2048,
}
_TUNED = "make them with `dvc repro finetune/dvc.yaml` and `python -m pipeline.finetune.export`"
CLASSES = 10_000  # that a network may tell apart; a file must not have gigabytes made for it
_REMEDY: dict[Name, str] = {
    "i3d": "fetch them with `python -m pipeline.backbones.weights i3d`",
    "i3d_nano": "they are part of this repository, so restore them from it",
    "i3d_r50": "fetch them with `python -m pipeline.backbones.weights i3d_r50`",
    **{"i3d_tuned": _TUNED, "i3d_nano_tuned": _TUNED},
}


def dim(name: Name) -> int:
    """Length d of a feature of this backbone."""
    return DIM[name]


def build(name: Name, stream: Stream, *, classes: int = 400) -> nn.Module:
    """The network with random weights; `classes` counts for the two Inception ones only."""
    if name == "i3d_r50":
        from pipeline.backbones.i3d_r50 import I3DR50

        return I3DR50(CHANNELS[stream])
    from pipeline.backbones.i3d import I3D

    return I3D(CHANNELS[stream], width=WIDTH[name], classes=classes)


def load(name: Name, stream: Stream, folder: Path) -> nn.Module:
    """The network for feature extraction: weights of `folder`/<stream>.safetensors.

    Returns:
        In evaluation mode, without gradients, batch normalisation folded, channels last in
        memory: clips (n, 3 or 2, t, h, w) float32 in [-1, 1] to features (n, dim(name)). This
        is a plain form for any device; see `for_cpu` and `for_gpu`.

    Raises:
        UserError: the file is missing, is no safetensors file, or is of another network.
    """
    import torch

    from pipeline.backbones.folding import fold_batchnorm

    folded = fold_batchnorm(trainable(name, stream, folder)).requires_grad_(False)
    return folded.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def trainable(name: Name, stream: Stream, folder: Path) -> nn.Module:
    """The network as it was trained: weights of `folder`/<stream>.safetensors, nothing folded.

    Raises:
        UserError: the file is missing, is no safetensors file, or is of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / f"{stream}.safetensors"
    if not path.is_file():
        raise UserError(f"{path}: the {stream} weights of {name} are missing; {_REMEDY[name]}")
    try:
        state = load_file(path)
    except (KeyError, OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{path} is no safetensors file ({error}); {_REMEDY[name]}") from error
    return restore(name, stream, state, str(path))


def for_cpu(network: nn.Module) -> nn.Module:
    """The fastest form on a CPU of a network that `load` gave: same arguments, same features.

    Where this PyTorch lacks the operators of the frozen form, it is the network itself.
    """
    from pipeline.backbones import frozen, packed

    return frozen.freeze(network) if packed.available() else network


def for_gpu(network: nn.Module) -> nn.Module:
    """The fastest form on a GPU of a network that `load` gave: same arguments, same features."""
    from pipeline.backbones.on_gpu import on_gpu

    return on_gpu(network)


def restore(name: Name, stream: Stream, state: Mapping[str, Tensor], where: str) -> nn.Module:
    """The network with exactly these parameters; leaves the random generator as it was.

    Raises:
        UserError: names, shapes or types differ from the network's; `where` says what was read.
    """
    import torch

    bias = state.get("logits.conv3d.bias")
    if bias is not None and not 0 < bias.numel() <= CLASSES:
        raise UserError(f"{where}: weights of {bias.numel()} classes, expected 1 to {CLASSES}")
    with torch.random.fork_rng(devices=[]):  # for the initial values, which are all replaced
        model = build(name, stream, classes=400 if bias is None else bias.numel())
    wrong = [key for key, t in state.items() if t.is_floating_point() and t.dtype != torch.float32]
    if wrong:
        raise UserError(f"{where}: expected float32, found {state[wrong[0]].dtype} at {wrong[0]}")
    try:
        model.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        found = " ".join(str(error).split())[:300]
        raise UserError(f"{where} does not hold the {stream} weights of {name}: {found}") from error
    return model


def digest(folder: Path) -> str:
    """SHA-256 over names and contents of the weight files of `folder`, in the names' order.

    Raises:
        UserError: the folder holds no weights.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise UserError(f"{folder} holds no *.safetensors file; expected the weights of a backbone")
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.name}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
