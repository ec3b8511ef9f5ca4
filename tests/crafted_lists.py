"""Lists and tables that lead out of the folder, or are none."""

from collections.abc import Callable, Mapping
from pathlib import Path

from hostile_means import Crafted


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


LISTS: Mapping[str, Callable[[Path], Crafted]] = {
    "csv": _csv,
    "index": _index,
    "hmdb51": _hmdb,
    "ucf101": _ucf,
}
