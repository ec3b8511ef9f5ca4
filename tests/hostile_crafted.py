"""Files made to do harm, by the reader (of `hostile_readers`) that must refuse each of them.

What would run leaves a folder `executed` behind; what leads out leads to `outside`, which is there.
"""

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import films
import h5py
import npz_files
import numpy as np
import torch
from pandas_pickles import frame, pandas_pickle

from pipeline import lossless

CANARY = "executed"
GIGABYTES = 4  # that a bomb unfolds to
Crafted = Mapping[str, bytes]


class Harm:
    """Calls something when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def _deflated_zeros(gigabytes: float, before: bytes = b"") -> bytes:
    """Raw deflate of some bytes and gigabytes of zeros, made from one piece over and over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + piece * int(gigabytes * 64) + packer.flush()


def _zip(members: Mapping[str, bytes], packed: Mapping[str, tuple[bytes, int]]) -> bytes:
    """A zip file of plain members, and of raw deflate streams with the sizes they unfold to."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
        for name, (content, size) in packed.items():
            file.writestr(name, content)
            member = file.getinfo(name)
            member.compress_type, member.file_size = zipfile.ZIP_DEFLATED, size
            buffer.seek(member.header_offset)
            buffer.write(member.FileHeader(zip64=False)[:30])
            buffer.seek(0, io.SEEK_END)
            file.start_dir = buffer.tell()
    return buffer.getvalue()


# tables and lists


def _csv(folder: Path) -> Crafted:
    names = {
        "up": "../outside/secret.mp4",
        "up inside": "walk/../../outside/secret.mp4",
        "absolute": str(folder.parent / "outside/secret.mp4"),
        "zero": "a\0.mp4",
        "empty": "",
        "too long a name": "a" * 300 + ".mp4",
        "too long a path": "a/" * 3000 + "b.mp4",
        "folder": "walk",
        "here": ".",
        "twice": "b.mp4\n./b.mp4",
        "address": "http://127.0.0.1:9/a.mp4",
    }
    rows = {name: f"video\n{text}\n" for name, text in names.items()}
    fields = {"wide": f"video\n{'a' * 200_000}\n", "quote": 'video\n"a', "utf-16": "\ufeffvideo\n"}
    made = {name: text.encode() for name, text in (rows | fields).items()}
    return {**made, "utf-16": "video\nb.mp4\n".encode("utf-16"), "empty": b'video\n""\n'}


def _index(folder: Path) -> Crafted:
    head, row = "key,path,start,stop,split,sha256,label,class\n", "a,{},{},,train,00,walk,walk\n"
    faults = {
        "up": ("../a.mp4", ""),
        "up inside": ("a/../../b", ""),
        "absolute": ("/etc/passwd", ""),
        "nowhere": ("", ""),
        "no number": ("a.mp4", "nan"),
        "endless": ("a.mp4", "inf"),
        "before": ("a.mp4", "-1"),
    }
    made = {name: (head + row.format(*cells)).encode() for name, cells in faults.items()}
    return {**made, "short row": (head + "a,b\n").encode(), "long row": (head + "a," * 20).encode()}


def _hmdb(folder: Path) -> Crafted:
    return {"flag": b"walk_0.avi 3\n", "no name": b" 1\n", "utf-16": "a 1".encode("utf-16")}


def _ucf(folder: Path) -> Crafted:
    return {line: f"{line}\n".encode() for line in ("Archery", "/a.avi", "Archery/")}


# pickles


def _segments(**changed: object) -> bytes:
    row = {
        "uid": 1,
        "participant_id": "P08",
        "video_id": "P08_01",
        "start_timestamp": "00:00:01.00",
        "stop_timestamp": "00:00:02.00",
        "verb_class": 0,
        **changed,
    }
    return pandas_pickle(frame({name: [value] for name, value in row.items()}), protocol=4)


def _pickles(folder: Path) -> Crafted:
    doubled = b")" + b"2\x86" * 60  # tuples of tuples: 2 ** 60 of them to whoever looks inside
    return {
        "call": pickle.dumps(Harm(os.mkdir, CANARY)),
        "shell": b"cos\nsystem\n(S'mkdir " + CANARY.encode() + b"'\ntR.",
        "endless key": b"\x80\x02}" + doubled + b"Ns.",
        "deep key": b"\x80\x02})" + b"\x85" * 200_000 + b"Ns.",
        "endless key of a new dictionary": b"\x80\x02(" + doubled + b"Nd.",
        "endless member of a set": b"\x80\x04\x8f(" + doubled + b"\x90.",
        "far memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
        "long text": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        "long bytes": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x0fabc.",
        "long number": b"\x80\x02L" + b"9" * 100_000 + b"L\n.",
        "endless shape": b"cpandas.core.frame\nDataFrame\n)R}(S'_data'\n" + doubled + b"sb.",
        "many hours": _segments(start_timestamp="9" * 5000 + ":00:00.00"),
        "no such digits": _segments(start_timestamp="٠٠:00:01.00"),
        "no verb": _segments(verb_class=2**80),
        "empty": b"",
    }


# features


def _npz(folder: Path) -> Crafted:
    def header(text: str) -> bytes:
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()

    def shaped(shape: str, kind: str = "<f4") -> bytes:
        return header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n")

    rest = {"key.npy": _npy(np.array(["a"])), "flow.npy": _npy(np.zeros((1, 2, 4), np.float32))}
    size = GIGABYTES * 2**30 - 2**24
    long = shaped(f"({size // 4 // 8}, 2, 4)")
    made = {
        "zeros": _zip(rest, {"rgb.npy": (_deflated_zeros(GIGABYTES, long), 2**32 - 2)}),
        "petabytes": _zip(rest | {"rgb.npy": shaped("(1000000000000, 2, 4)")}, {}),
        "negative": _zip(rest | {"rgb.npy": shaped("(-1, 2, 4)")}, {}),
        "texts and numbers": _zip(rest | {"rgb.npy": header("{1: 2, 'descr': 3}\n")}, {}),
        "no literal": _zip(rest | {"rgb.npy": header("__import__('os').mkdir('executed')\n")}, {}),
        "brackets": _zip(rest | {"rgb.npy": header("(" * 9000 + "\n")}, {}),
        "minuses": _zip(rest | {"rgb.npy": header("-" * 9000 + "1\n")}, {}),
        "long header": _zip(rest | {"rgb.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f"}, {}),
        "object": _saved(rgb=np.array([Harm(os.mkdir, CANARY)], object)),
        "pickle": _zip(rest | {"rgb.npy": pickle.dumps(Harm(os.mkdir, CANARY))}, {}),
        "up": _zip({"../outside/key.npy": b""}, {}),
    }
    for method, name in ((zipfile.ZIP_LZMA, "lzma"), (zipfile.ZIP_BZIP2, "bzip2")):
        broken = bytearray(_saved(method=method))
        place = broken.index(b"rgb.npy") + 20
        broken[place : place + 30] = b"\xff" * 30
        made[name] = bytes(broken)
    return made


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _saved(method: int = zipfile.ZIP_STORED, **changed: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, array in npz_files.arrays("a", **changed).items():
            content = io.BytesIO()
            np.save(content, array, allow_pickle=True)
            file.writestr(f"{name}.npy", content.getvalue())
    return buffer.getvalue()


def _hdf5(folder: Path) -> Crafted:
    """The whole store with one array exchanged."""
    whole, aside = (folder / "stored/0000.h5").read_bytes(), folder / "aside.h5"
    (folder.parent / "outside").mkdir(exist_ok=True)
    (folder.parent / "outside/secret.bin").write_bytes(bytes(96))
    (folder.parent / "outside/secret.h5").write_bytes(whole)
    shape, small = (3, 2, 1, 4), np.zeros((3, 2, 1, 4), np.float32)

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(shape, np.float32)
        layout[:] = h5py.VirtualSource(folder.parent / "outside/secret.h5", "rgb", shape)
        file.create_virtual_dataset("rgb", layout)

    def packed_keys(file: h5py.File) -> None:
        del file["key"]
        keys = h5py.string_dtype("utf-8", 2**30 - 1)
        file.create_dataset("key", (3,), keys, chunks=(1,), compression="gzip")

    def wide_chunks(file: h5py.File) -> None:
        file.create_dataset(
            "rgb", shape, "f4", chunks=(3, 2, 1, 2**22), maxshape=(None,) * 4, compression="gzip"
        )[:] = small

    outside = os.path.relpath(folder.parent / "outside", folder / "store")
    exchanges: dict[str, Callable[[h5py.File], object]] = {
        "link to a file": lambda f: f.__setitem__(
            "rgb", h5py.ExternalLink(f"{outside}/secret.h5", "rgb")
        ),
        "link to a device": lambda f: f.__setitem__("rgb", h5py.ExternalLink("/dev/zero", "rgb")),
        "link to itself": lambda f: f.__setitem__("rgb", h5py.SoftLink("/rgb")),
        "link to another": lambda f: f.__setitem__("rgb", h5py.SoftLink("/flow")),
        "raw bytes of a file": lambda f: f.create_dataset(
            "rgb", shape, "f4", external=[(str(folder.parent / "outside/secret.bin"), 0, 96)]
        ),
        "virtual": virtual,
        "group": lambda f: f.create_group("rgb"),
        "petabytes": lambda f: f.create_dataset(
            "rgb", (3, 2, 2**30, 2**20), "f4", chunks=(1, 1, 1, 4)
        ),
        "packed zeros": lambda f: f.create_dataset(
            "rgb", (3, 2, 1, 2**26), "f4", compression="gzip"
        ),
        "wide chunks": wide_chunks,
        "packed keys": packed_keys,
        "scaled": lambda f: f.create_dataset("rgb", data=small, scaleoffset=4),
        "plugin": lambda f: f.create_dataset("rgb", data=small, compression="lzf"),
        "objects": lambda f: f.create_dataset("rgb", shape, h5py.vlen_dtype(np.float32)),
        "references": lambda f: f.create_dataset("rgb", shape, h5py.ref_dtype),
    }
    made = {}
    for name, exchange in exchanges.items():
        aside.write_bytes(whole)
        with h5py.File(aside, "r+") as file:
            del file["rgb"]
            exchange(file)
        made[name] = aside.read_bytes()
    for name, text in (("list", b"[]"), ("deep", b"[" * 9000), ("no text", b"\xff")):
        aside.write_bytes(whole)
        with h5py.File(aside, "r+") as file:
            file.attrs["provenance"] = np.bytes_(text)
        made[f"provenance: {name}"] = aside.read_bytes()
    return made


# models and weights


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
        "zeros": _zip(rest, {data: (_deflated_zeros(GIGABYTES), 2**32 - 2)}),
        "zeros for a program": _zip(
            {n: c for n, c in members.items() if n != pickled},
            {pickled: (_deflated_zeros(GIGABYTES), 2**32 - 2)},
        ),
        "stretched": _torch_saved({bias: stretched}),
        "many classes": _torch_saved({bias: torch.zeros(20_000)}),
        "no classes": _torch_saved({bias: torch.zeros(0)}),
        "on no device": _torch_saved({bias: torch.zeros(5, device="meta")}),
        "sparse": _torch_saved({bias: torch.zeros(10**5).to_sparse()}),
        "numbers for names": _torch_saved({1: torch.zeros(1)}),
        "nested": _torch_saved({"model_state": {"model_state": {}}}),
        "number": _torch_saved(5),
        "up": _zip({"../outside/data.pkl": b"", "archive/version": b"3"}, {}),
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


# params.yaml


def _params(folder: Path) -> Crafted:
    whole = (Path(__file__).parent.parent / "params.yaml").read_bytes()

    def changed(old: bytes, new: bytes) -> bytes:
        assert old in whole
        return whole.replace(old, new, 1)

    def laughing(first: bytes, more: bytes) -> bytes:
        """Nine times what stands in the line before, and so on."""
        lines = [first]
        for n in range(1, 10):
            lines.append(b"a%d: &a%d " % (n, n) + more % b", ".join([b"*a%d" % (n - 1)] * 9))
        return b"\n".join(lines) + b"\n"

    laughs = laughing(b"a0: &a0 [x, x]", b"[%s]")
    merged = laughing(b"a0: &a0 {x: 1}", b"{<<: [%s]}")
    return {
        "laughs": whole + laughs,
        "merged laughs": whole + merged,
        "few laughs": whole + b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "in itself": whole + b"a: &a [*a]\n",
        "key twice": changed(b"decode:\n", b"decode:\n  size: 32\n"),
        "section twice": whole + b"seeds: [1]\n",
        "call": whole + b"a: !!python/object/apply:os.mkdir [executed]\n",
        "shell": changed(
            b"source: studio", b"source: !!python/object/apply:os.system ['mkdir executed']"
        ),
        "long number": changed(b"size: 64", b"size: " + b"9" * 5000),
        "long hexadecimal number": changed(b"size: 64", b"size: 0x" + b"f" * 5000),
        "no date": changed(b"size: 64", b"size: 2001-99-99"),
        "no digits": changed(b"size: 64", b"size: 0b_"),
        "no number": changed(b"size: 64", b"size: !!int x"),
        "no time": changed(b"size: 64", b"size: !!timestamp x"),
        "infinite": changed(b"bound: 20", b"bound: 1e999"),
        "deep": whole + b"a: " + b"[" * 5000,
        "deep keys": whole + b"a: " + b"{a: " * 5000,
        "many clips": changed(b"segments: 5", b"segments: 1000000000"),
        "many frames": changed(b"frames: 16", b"frames: 60000"),
        "many layers": changed(b"layers: 2", b"layers: 1000000000"),
        "many videos": changed(b"train_per_class: 24", b"train_per_class: 1000000000"),
        "many processes": changed(b"workers: null", b"workers: 1000000000"),
        "command in a name": changed(b"source: studio", b"source: 'studio; mkdir executed'"),
        "path in a name": whole.replace(b"studio", b"../../outside"),
        "latin-1": whole + b"# \xe9\n",
        "utf-16": whole.decode().encode("utf-16"),
        "zero": whole + b"\0",
        "two documents": whole + b"---\n" + whole,
        "empty": b"",
    }


# what the stages write for each other


def _matroska(side: int = 32, **note: Any) -> bytes:
    frames = np.zeros((9, side, side, 3), np.uint8)
    whole = {"numbers": list(range(9)), "n_frames": 9, "fps": 25.0}
    return lossless.encode(frames, fps=25, note=whole | note)


def _pictures(folder: Path) -> Crafted:
    films.write(folder / "other.mkv", 5)
    wide = (
        _matroska(512)
        .replace(b"\xb0\x82\x02\0", b"\xb0\x82\x7f\xff")
        .replace(b"\xba\x82\x02\0", b"\xba\x82\x7f\xff")
    )
    assert len(wide.split(b"\x82\x7f\xff")) == 3
    return {
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
        "list": b"ffconcat version 1.0\nfile film.ts\n",
        "another codec": (folder / "other.mkv").read_bytes(),
        "no note": _matroska().replace(b"NOTE", b"NOPE"),
        "wide": wide,
        "cut off": _matroska()[:500],
        "empty": b"",
    }


def _shards(folder: Path) -> Crafted:
    def shard(card: object, film: bytes | None = None) -> bytes:
        text = card if isinstance(card, bytes) else json.dumps(card).encode()
        return _zip({"shard.json": text, "a.mp4.mkv": film or _matroska()}, {})

    plan = {"segments": 1, "windows": 1, "frames": 8, "sampling": "spread"}
    whole = {"clips": plan, "decode": {"size": 32}, "entries": {"a.mp4": "f" * 64}}
    zeros = (_deflated_zeros(GIGABYTES), 2**32 - 2)
    return {
        "zeros": _zip({"shard.json": json.dumps(whole).encode()}, {"a.mp4.mkv": zeros}),
        "zeros for a card": _zip({"a.mp4.mkv": b""}, {"shard.json": zeros}),
        "list": shard([]),
        "entries": shard(whole | {"entries": [["a.mp4", "f"]]}),
        "numbers": shard(whole | {"entries": {"a.mp4": 1}}),
        "deep": shard(b"[" * 100_000),
        "many clips": shard(whole | {"clips": plan | {"segments": 10**9}}),
        "no clips": shard({"entries": whole["entries"]}),
        "large": shard(whole | {"decode": {"size": 10**6}}),
        "no size": shard(whole | {"decode": None}),
        "one frame": shard(whole, _matroska(n_frames=1)),
        "endless frames": shard(whole, _matroska(n_frames=10**30)),
        "other frames": shard(whole, _matroska(n_frames=10**6)),
        "other numbers": shard(whole, _matroska(numbers=list(range(8)))),
        "texts": shard(whole, _matroska(numbers=["a"] * 9)),
        "pictures of others": shard(whole, _pictures(folder)["another codec"]),
    }


CRAFTED: Mapping[str, Callable[[Path], Crafted]] = {
    "csv": _csv,
    "index": _index,
    "hmdb51": _hmdb,
    "ucf101": _ucf,
    "epic": _pickles,
    "npz": _npz,
    "store": _hdf5,
    "model": _safetensors,
    "weights": _safetensors,
    "trajectory": _safetensors,
    "staging": _safetensors,
    "checkpoint": _checkpoints,
    "card": _cards,
    "params": _params,
    "lossless": _pictures,
    "shards": _shards,
}
