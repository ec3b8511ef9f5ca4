"""Features the plain way, as widely used extractors make them; what `extraction` compares with.

OpenCV decodes and resizes every frame, OpenCV computes the TV-L1 flow, and an I3D with its batch
normalisation as trained, channels first, sees one clip at a time in float32.
"""

from collections import OrderedDict
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline import clips, flow
from pipeline.backbones.i3d import BRANCHES, LAYERS, POOLS, same_padding
from pipeline.video import Frames, Resize, centre

BOUND = 20.0  # px


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU, padded as TensorFlow does."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, inputs, t, h, w) to (n, outputs, ...)."""
        return F.relu(self.bn(self.conv3d(padded(x, self.conv3d.kernel_size, self.conv3d.stride))))


class Pool(nn.Module):
    """Maximum over windows, padded as TensorFlow does."""

    def __init__(self, kernel: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, c, t, h, w) to (n, c, ...)."""
        return F.max_pool3d(padded(x, self.kernel, self.stride), self.kernel, self.stride)


def padded(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    pads = [same_padding(*axis) for axis in zip(x.shape[2:], kernel, stride, strict=True)]
    return F.pad(x, [zeros for pair in reversed(pads) for zeros in pair])


class Mixed(nn.Module):
    """An Inception block."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.b0 = Unit(inputs, widths[0])
        self.b1a, self.b1b = Unit(inputs, widths[1]), Unit(widths[1], widths[2], 3)
        self.b2a, self.b2b = Unit(inputs, widths[3]), Unit(widths[3], widths[4], 3)
        self.b3a, self.b3b = Pool((3, 3, 3), (1, 1, 1)), Unit(inputs, widths[5])

    def forward(self, x: Tensor) -> Tensor:
        """The four branches, joined along the channels."""
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))]
        return torch.cat(branches, 1)


def network(channels: int) -> nn.Sequential:
    """I3D up to Mixed_5c; its parameters have the names of `pipeline.backbones.i3d`."""
    layers: dict[str, nn.Module] = {
        "Conv3d_1a_7x7": Unit(channels, 64, 7, 2),
        "Conv3d_2b_1x1": Unit(64, 64),
        "Conv3d_2c_3x3": Unit(64, 192, 3),
        **{name: Pool(*shape) for name, shape in POOLS.items()},
    }
    width = 192
    for name, widths in BRANCHES.items():
        layers[name] = Mixed(width, widths)
        width = widths[0] + widths[2] + widths[4] + widths[5]
    return nn.Sequential(OrderedDict((name, layers[name]) for name in LAYERS))


@lru_cache(maxsize=2)
def loaded(path: Path) -> nn.Sequential:
    """The network with the weights of a file, whose classifier is left out."""
    model = network(2 if path.stem == "flow" else 3)
    state = {name: w for name, w in load_file(path).items() if not name.startswith("logits")}
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def decode(path: Path, size: int, resize: Resize) -> Frames:
    """All frames of a video, resized: (n, size, size, 3), or whole with short side 256 / 224."""
    capture, frames = cv2.VideoCapture(str(path)), list[Frames]()
    while True:
        ok, frame = capture.read()
        if not ok:
            return np.stack(frames)
        height, width = frame.shape[:2]
        scale = round(size * 256 / 224) / min(height, width)
        whole = (round(width * scale), round(height * scale))
        scaled = cv2.resize(frame, (size, size) if resize == "squash" else whole)
        frames.append(np.asarray(cv2.cvtColor(scaled, cv2.COLOR_BGR2RGB), np.uint8))


def flow_codes(frames: Frames, pairs: list[int]) -> dict[int, Frames]:
    """8-bit flow (h, w, 2) of each pair of a frame and its next."""
    cv2.setNumThreads(1)  # the other cores have videos of their own, which is faster
    solver = cv2.optflow.DualTVL1OpticalFlow_create()  # type: ignore[attr-defined]
    grey = {n: cv2.cvtColor(frames[n], cv2.COLOR_RGB2GRAY) for p in pairs for n in (p, p + 1)}
    return {n: flow.to_code(solver.calc(grey[n], grey[n + 1], None), BOUND) for n in pairs}


@torch.inference_mode()
def features(codes: Frames, weights: Path) -> np.ndarray:
    """Clips (c, F, size, size, d) -> features (c, 1024), one clip after the other."""
    model, rows = loaded(weights), []
    for clip in codes:
        scaled = torch.from_numpy(clip).float() / 255 * 2 - 1
        maps = model(scaled.permute(3, 0, 1, 2).contiguous()[None])
        rows.append(maps.mean(dim=(2, 3, 4))[0].numpy())
    return np.stack(rows)


def extract(
    path: Path, weights: Path, plan: dict[str, int | str], size: int, resize: Resize
) -> tuple[np.ndarray, np.ndarray]:
    """RGB and flow features (T * W, 1024) of a video, of the frames that the pipeline takes too."""
    frames = decode(path, size, resize)
    chosen = clips.plan(len(frames), **plan)  # type: ignore[arg-type]
    codes = flow_codes(frames, chosen.distinct_pairs)
    shape = (-1, chosen.frames.shape[-1])
    rgb = centre(frames, size)[chosen.frames.reshape(shape)]
    fields = np.stack([codes[n] for n in chosen.pairs.flatten().tolist()])
    cut = centre(fields, size).reshape(*rgb.shape[:2], size, size, 2)
    return features(rgb, weights / "rgb.safetensors"), features(cut, weights / "flow.safetensors")
