"""Readers of features, models, weights, and of what the stages write for each other."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import npz_files
import numpy as np
import safetensors.torch
import torch
from hostile_lists import OPCODES
from hostile_videos import EBML, LEADS
from hostile_words import WORDS, Reader

from pipeline import (
    backbones,
    checkpoints,
    extraction,
    feature_files,
    imported,
    index,
    lossless,
    shards,
    store,
    trajectory,
)
from pipeline.backbones import weights
from pipeline.datasets import imported as listed_features
from pipeline.per_video import Job
from pipeline.video_clips import Published

ROOT = Path(__file__).parent.parent

# features


def _npz(folder: Path) -> list[bytes]:
    labels: dict[str, Any] = {"label": np.array(["walk", ""]), "split": np.array(["train", "test"])}
    arrays = npz_files.arrays("a", "b/ü.mp4", extractor="i3d", **labels)
    contents = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, **arrays)
        contents.append(buffer.getvalue())
    return contents


def _read_npz(folder: Path) -> object:
    videos = listed_features.list_videos(folder, None)
    rows = [index.Video(v.key, v.path, None, None, v.split, "") for v in videos]
    return imported.rows(folder, rows, 5), feature_files.read(folder / "a.npz")


def _stored(folder: Path, count: int = 3) -> bytes:
    drawn = np.random.default_rng(0).random((2, count, 2, 1, 4), np.float32)
    frames = np.zeros((2, 1, 8), np.int32)
    rows = {
        f"walk/{n}.mp4": store.VideoFeatures(
            f"{n:064x}", drawn[0, n], drawn[1, n], frames, n_frames=100, fps=25.0
        )
        for n in range(count)
    }
    store.write(folder / "stored", rows, {"features": {"backbone": "i3d_nano"}})
    return (folder / "stored/0000.h5").read_bytes()


def _hdf5(folder: Path) -> list[bytes]:
    whole = _stored(folder)
    samples = [whole]
    ways: list[dict[str, Any]] = [{"compression": "gzip"}, {"shuffle": True}, {"chunks": True}]
    for number, options in enumerate(ways):
        path = folder / f"{number}.hdf5"
        with h5py.File(folder / "stored/0000.h5") as source, h5py.File(path, "w") as file:
            file.attrs.update(source.attrs)
            for name in source:
                file.create_dataset(name, data=source[name][:], **options)
        samples.append(path.read_bytes())
    return samples


_OBJECTS = [
    *b"OHDR TREE SNOD HEAP GCOL FRHP BTHD FADB rgb flow key schema provenance".split(),
    *(b"\x89HDF\r\n\x1a\n", b"\xff" * 8),
]


# models and weights


def _card() -> checkpoints.Card:
    return checkpoints.Card(("jump", "run"), 8, 2, 0.3, {"features": {"backbone": "i3d_nano"}})


def _model(folder: Path) -> None:
    card = _card()
    checkpoints.save(folder / "model", {0: card.new_network(0)}, card, [{"seed": 0, "epoch": 1}])


def _of_model(name: str) -> Callable[[Path], list[bytes]]:
    return lambda folder: [(folder / "model" / name).read_bytes()]


def _read_model(folder: Path) -> object:
    card, models = checkpoints.load(folder / "model")
    card.require_features({"features": {"backbone": "i3d_nano"}}, folder)
    return models


def _checkpoint(folder: Path) -> list[bytes]:
    state = dict(backbones.build("i3d_nano", "rgb", classes=5).state_dict())
    contents = []
    for zipped in (True, False):
        buffer = io.BytesIO()
        torch.save(state, buffer, _use_new_zipfile_serialization=zipped)
        contents.append(buffer.getvalue())
    return contents


def _tensors(folder: Path) -> list[bytes]:
    return [(ROOT / "models/i3d_nano/rgb.safetensors").read_bytes()]


_ZIP = (b"PK\3\4", b"PK\1\2", b"PK\5\6", b"\x0e\0", b"\x0c\0", b"\x08\0")
_HEADERS = [
    *WORDS,
    *b'"dtype": "shape": "data_offsets": F32 F64 F4 BOOL [0,0] [-1] [18446744073709551615]'.split(),
    *(b"__metadata__", b"data.pkl", b"storages", b"ctorch._utils\n_rebuild_tensor_v2\n"),
]
_NUMPY = [b"\x93NUMPY", *b"'descr':'|O' '<f4' '<U1' (2,2,4) (-1,) descr shape".split()]
_CARDS = [
    *b'"classes": "dim": "layers": "seeds": "features": 100000 1e9 [0,0] ["../x"] NaN -8'.split(),
    *(b"[" * 5000, b'{"a":' * 5000),
]

FEATURES: Mapping[str, Reader] = {
    "npz": Reader(
        "a.npz",
        _npz,
        _read_npz,
        [*WORDS, *_ZIP, *_NUMPY],
    ),
    "store": Reader("store/0000.h5", _hdf5, lambda f: store.load(f / "store"), _OBJECTS),
    "card": Reader(
        "model/card.json",
        _of_model("card.json"),
        _read_model,
        [*WORDS, *_CARDS],
        _model,
    ),
    "model": Reader(
        "model/seed-0.safetensors", _of_model("seed-0.safetensors"), _read_model, _HEADERS, _model
    ),
    "weights": Reader(
        "models/rgb.safetensors",
        _tensors,
        lambda f: backbones.load("i3d_nano", "rgb", f / "models"),
        _HEADERS,
    ),
    "checkpoint": Reader(
        "rgb.pt",
        _checkpoint,
        lambda f: weights.convert("i3d_nano", "rgb", (f / "rgb.pt").read_bytes(), "rgb.pt"),
        [*_HEADERS, *_ZIP, *OPCODES],
    ),
    "trajectory": Reader(
        "trajectory.safetensors",
        lambda f: [safetensors.torch.save({"seed-0": torch.zeros(3, 4, dtype=torch.int16)})],
        lambda f: trajectory.load(f / "trajectory.safetensors"),
        _HEADERS,
    ),
}


# frames and flow


def _mkv(count: int, note: Mapping[str, Any], shape: tuple[int, ...]) -> bytes:
    frames = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    return lossless.encode(frames, fps=25, note=note)


def _shards(folder: Path) -> None:
    frames = _mkv(9, {"numbers": list(range(9)), "n_frames": 9, "fps": 25.0}, (32, 32, 3))
    flow = _mkv(8, {"pairs": list(range(8))}, (64, 32))
    plan = {"segments": 1, "windows": 1, "frames": 8, "sampling": "spread"}
    for name, content in (("frames", frames), ("flow", flow)):
        (folder / name).with_suffix(".mkv").write_bytes(content)
        shards.publish(
            folder / name,
            {"a.mp4": content},
            fingerprints={"a.mp4": "f" * 64},
            sizes={"a.mp4": len(content)},
            provenance={"clips": plan, "decode": {"size": 32, "resize": "squash"}},
        )


def _read_shards(folder: Path) -> object:
    shards._opened.cache_clear()
    source = Published(folder / "frames", folder / "flow")
    listed = index.Video("a.mp4", "a.mp4", None, None, "train", "")
    return source.fingerprints(listed), source.read(Job(listed, "")), source.provenance()


def _entry(folder: Path) -> list[bytes]:
    _shards(folder)
    cut = Published(folder / "frames", folder / "flow").read(
        Job(index.Video("a.mp4", "a.mp4", None, None, "train", ""), "")
    )
    return [extraction.entry(cut, *np.zeros((2, 1, 4), np.float32))]


SHARED: Mapping[str, Reader] = {
    "shards": Reader(
        "frames/0000.zip",
        lambda f: [(f / "frames/0000.zip").read_bytes()],
        _read_shards,
        [*WORDS, *_ZIP, *EBML, *b'shard.json a.mp4 "entries"'.split()],
        _shards,
    ),
    "lossless": Reader(
        "a.mkv",
        lambda f: [(f / "frames.mkv").read_bytes(), (f / "flow.mkv").read_bytes()],
        lambda f: lossless.decode((f / "a.mkv").read_bytes()),
        [*EBML, *LEADS, b"numbers", b"[" * 3000],
        _shards,
    ),
    "staging": Reader(
        ".staging/entry",
        _entry,
        lambda f: extraction.read_entry("entry", (f / ".staging/entry").read_bytes()),
        _HEADERS,
    ),
}
