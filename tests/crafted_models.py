"""Weights that call or lie, and cards of networks that no memory holds."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from hostile_means import CANARY, GIGABYTES, Crafted, Harm, deflated_zeros, zip_of


def _tensors(
    header: Mapping[str, Any] | bytes, length: int | None = None, data: bytes = bytes(64)
) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _safetensors(folder: Path) -> Crafted:
    def one(kind: str, shape: Sequence[int], *offsets: int) -> dict[str, Any]:
        return {"a": {"dtype": kind, "shape": list(shape), "data_offsets": list(offsets)}}

    return {
        "long header": _tensors({}, 2**63 - 1),
        "header of all memory": _tensors({}, 2**40),
        "beyond the end": _tensors(one("F32", [2**30], 0, 2**32)),
        "overflow": _tensors(one("F32", [2**62, 4], 0, 64)),
        "backwards": _tensors(one("F32", [4], 32, 16)),
        "unknown type": _tensors(one("F4", [128], 0, 64)),
        "old type": _tensors(one("F8_E5M2", [64], 0, 64)),
        "overlap": _tensors(one("F32", [16], 0, 64) | {"b": one("F32", [16], 0, 64)["a"]}),
        "deep": _tensors(b"[" * 100_000),
        "twice": _tensors(b'{"a":{"dtype":"F32","shape":[16],"data_offsets":[0,64]},' * 2),
        "pickle": pickle.dumps(Harm(os.mkdir, CANARY)),
        "empty": b"",
    }


def _torch_saved(thing: object, **how: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, **how)
    return buffer.getvalue()


def _checkpoints(folder: Path) -> Crafted:
    bias, stretched = "logits.conv3d.bias", torch.zeros(1).expand(10**10)
    whole = _torch_saved({bias: torch.zeros(2**10)})
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    [data] = [name for name in members if name.endswith("data/0")]
    pickled = next(name for name in members if name.endswith("data.pkl"))
    rest = {name: content for name, content in members.items() if name != data}
    return {
        "call": _torch_saved(Harm(os.mkdir, CANARY)),
        "call, old form": _torch_saved(
            Harm(os.mkdir, CANARY), _use_new_zipfile_serialization=False
        ),
        "call in a name": _torch_saved(
            {"a": torch.zeros(1), "b": Harm(os.system, f"mkdir {CANARY}")}
        ),
        "plain pickle": pickle.dumps(Harm(os.mkdir, CANARY)),
        "zeros": zip_of(rest, {data: (deflated_zeros(GIGABYTES), 2**32 - 2)}),
        "zeros for a program": zip_of(
            {n: c for n, c in members.items() if n != pickled},
            {pickled: (deflated_zeros(GIGABYTES), 2**32 - 2)},
        ),
        "stretched": _torch_saved({bias: stretched}),
        "many classes": _torch_saved({bias: torch.zeros(20_000)}),
        "no classes": _torch_saved({bias: torch.zeros(0)}),
        "on no device": _torch_saved({bias: torch.zeros(5, device="meta")}),
        "sparse": _torch_saved({bias: torch.zeros(10**5).to_sparse()}),
        "numbers for names": _torch_saved({1: torch.zeros(1)}),
        "nested": _torch_saved({"model_state": {"model_state": {}}}),
        "number": _torch_saved(5),
        "up": zip_of({"../outside/data.pkl": b"", "archive/version": b"3"}, {}),
        "tar": b"storages".ljust(257, b"\0") + b"ustar\0" + bytes(1000),
        "empty": b"",
    }


def _cards(folder: Path) -> Crafted:
    whole = json.loads((folder / "model/card.json").read_text())
    faults: dict[str, dict[str, Any]] = {
        "terabytes": {"dim": 2**16},
        "more": {"dim": 10**12},
        "too deep": {"layers": 10**9},
        "deep": {"layers": 1000},
        "negative": {"dim": -8},
        "text": {"dim": "8"},
        "fraction": {"dim": 8.5},
        "true": {"layers": True},
        "many classes": {"classes": ["a"] * 10**6},
        "numbers": {"classes": [1, 2]},
        "no classes": {"classes": None},
        "up": {"seeds": ["/../../../outside/x"]},
        "again": {"seeds": [0] * 9},
        "text of a seed": {"seeds": ["0"]},
        "no seeds": {"seeds": None},
        "features": {"features": []},
        "training": {"training": [1]},
        "bottomless": {"features": json.loads('{"a":' * 200 + "1" + "}" * 200)},
        "dropout": {"dropout": 1e300},
        "unknown": {"unknown": 1},
        "half a letter": {"classes": ["\ud800", "b"]},
        "pretrain": {"training": {"pretrain": {"source": ["x"], "test_accuracy": []}}},
    }
    made = {name: json.dumps(whole | fault).encode() for name, fault in faults.items()}
    return {**made, "brackets": b"[" * 100_000, "long number": b'{"dim": ' + b"9" * 9000 + b"}"}


MODELS: Mapping[str, Callable[[Path], Crafted]] = {
    "model": _safetensors,
    "weights": _safetensors,
    "trajectory": _safetensors,
    "staging": _safetensors,
    "checkpoint": _checkpoints,
    "card": _cards,
}
