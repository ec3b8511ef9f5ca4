"""A scratch project with two domains of short films, lab and yard."""

import hashlib
from pathlib import Path
from typing import Any

import films
import h5py
from workspace import Workspace, new_workspace

CLASSES = ("jump", "run", "walk")
STAGES = ("decode", "flow", "features")
FOLDERS = {"index": "index", "decode": "frames", "flow": "flow", "features": "features"}
SECTIONS: dict[str, Any] = {
    "task": {"source": "lab", "target": "yard", "classes": None},
    "domains": {"lab": {"dataset": "folder"}, "yard": {"dataset": "folder"}},
    "seeds": [0],
    "engine": {"workers": 1},
}


def new_project(folder: Path, videos: int = 12, **sections: Any) -> Workspace:
    """A project that has not run yet, its films apart from each other; `videos` a domain."""
    workspace = new_workspace(folder, **{**SECTIONS, **sections})
    for domain in ("lab", "yard"):
        for number in range(videos):
            film(raw(workspace, domain) / f"{CLASSES[number % 3]}/{number:03d}.mp4", number)
    return workspace


def film(path: Path, number: int, frames: int = 12) -> Path:
    """A film whose pictures belong to its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [films.numbered(97 * number + step) for step in range(frames)]
    return films.write_pictures(path, pictures)


def raw(workspace: Workspace, domain: str = "yard") -> Path:
    """Where a domain's videos are."""
    return workspace.folder / "data/raw" / domain


def hashes(*folders: Path) -> dict[str, str]:
    """What the files below folders hold, links followed."""
    return {
        f"{folder.name}/{path.relative_to(folder)}": hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".gitignore"
    }


def published(workspace: Workspace, domain: str = "yard") -> dict[str, dict[str, str]]:
    """What each per-video stage has published of a domain."""
    data = workspace.folder / "data"
    return {stage: hashes(data / name / domain) for stage, name in FOLDERS.items()}


def usage(*folders: Path) -> int:
    """Bytes of the files below folders together, a file of several names counted once."""
    found = [path.stat() for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sum({(status.st_dev, status.st_ino): status.st_size for status in found}.values())


def flip_a_feature(path: Path) -> None:
    """Turns one bit of a feature, in place: under all names that the file has."""
    with h5py.File(path, "r", locking=False) as file:
        place = file["rgb"].id.get_chunk_info(0).byte_offset
    mode = path.stat().st_mode
    path.chmod(0o644)
    with path.open("r+b") as stored:
        stored.seek(place)
        (byte,) = stored.read(1)
        stored.seek(place)
        stored.write(bytes([byte ^ 1]))
    path.chmod(mode)
