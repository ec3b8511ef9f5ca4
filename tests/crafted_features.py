"""Features whose arrays are too large, elsewhere, or programs."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import npz_files
import numpy as np
from hostile_means import CANARY, GIGABYTES, Crafted, Harm, deflated_zeros, zip_of


def _npz(folder: Path) -> Crafted:
    def header(text: str) -> bytes:
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()

    def shaped(shape: str, kind: str = "<f4") -> bytes:
        return header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n")

    rest = {"key.npy": _npy(np.array(["a"])), "flow.npy": _npy(np.zeros((1, 2, 4), np.float32))}
    size = GIGABYTES * 2**30 - 2**24
    long = shaped(f"({size // 4 // 8}, 2, 4)")
    made = {
        "zeros": zip_of(rest, {"rgb.npy": (deflated_zeros(GIGABYTES, long), 2**32 - 2)}),
        "petabytes": zip_of(rest | {"rgb.npy": shaped("(1000000000000, 2, 4)")}, {}),
        "negative": zip_of(rest | {"rgb.npy": shaped("(-1, 2, 4)")}, {}),
        "texts and numbers": zip_of(rest | {"rgb.npy": header("{1: 2, 'descr': 3}\n")}, {}),
        "no literal": zip_of(
            rest | {"rgb.npy": header("__import__('os').mkdir('executed')\n")}, {}
        ),
        "brackets": zip_of(rest | {"rgb.npy": header("(" * 9000 + "\n")}, {}),
        "minuses": zip_of(rest | {"rgb.npy": header("-" * 9000 + "1\n")}, {}),
        "long header": zip_of(rest | {"rgb.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f"}, {}),
        "object": _saved(rgb=np.array([Harm(os.mkdir, CANARY)], object)),
        "pickle": zip_of(rest | {"rgb.npy": pickle.dumps(Harm(os.mkdir, CANARY))}, {}),
        "up": zip_of({"../outside/key.npy": b""}, {}),
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


FEATURES: Mapping[str, Callable[[Path], Crafted]] = {"npz": _npz, "store": _hdf5}
