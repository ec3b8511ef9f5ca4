"""A scratch project to be trained on: its features are there already; and what is made of them."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import npz_files
import numpy as np
from workspace import Workspace, new_workspace

CLASSES = ("jump", "run", "walk")
VIDEOS = 60  # of each domain, a third of them for testing
EPOCHS = 30
SECTIONS: dict[str, Any] = {
    "task": {"source": "lab", "target": "yard", "classes": None},
    "domains": {"lab": {"dataset": "imported"}, "yard": {"dataset": "imported"}},
    "features": {"backbone": "imported"},
    "joint": {"method": "cross_modal_contrastive", "epochs": EPOCHS},
}
STAGES = {  # the target of `dvc repro` by what it runs, in their order
    "pretrain": "pretrain",
    "adapt": "adapt",
    "evaluate": "evaluate",
    "report": "report",
    "joint": "joint/dvc.yaml",
}
_LOCKS = ("dvc.lock", "joint/dvc.lock")
_FOLDERS = ("models/source", "models/adapted", "models/joint", "results")


@dataclass(frozen=True)
class Trained:
    """The project; what stood in DVC's cache and in dvc.lock before anything was trained."""

    workspace: Workspace
    cached: frozenset[Path]
    lock: str

    def forget(self) -> None:
        """Takes away all that was trained since, out of DVC's cache too."""
        folder = self.workspace.folder
        for name in _FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        shutil.rmtree(folder / ".dvc/cache/runs", ignore_errors=True)
        for path in _files(folder / ".dvc/cache/files") - self.cached:
            path.unlink()
        (folder / "joint/dvc.lock").unlink(missing_ok=True)
        (folder / "dvc.lock").write_text(self.lock)

    def made(self) -> dict[str, str]:
        """The files under the names that users and DVC know, with the hash of each."""
        found = {}
        for name in _FOLDERS:
            for path in _files(self.workspace.folder / name):
                inside = path.relative_to(self.workspace.folder)
                if not any(part.startswith(".") for part in inside.parts):
                    found[str(inside)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def new(folder: Path) -> Trained:
    """Two domains of imported features, taken as far as stage `features`."""
    workspace = new_workspace(folder, **SECTIONS)
    workspace.set_params(pretrain={"epochs": EPOCHS}, adapt={"epochs": EPOCHS})
    shutil.copytree(Path(__file__).parent.parent.parent / "joint", folder / "joint")
    for seed, domain in enumerate(("lab", "yard")):
        keys = [f"{number:03d}.mp4" for number in range(VIDEOS)]
        labels = np.array([CLASSES[number % 3] for number in range(VIDEOS)])
        splits = np.array(["test" if number // 3 % 3 == 0 else "train" for number in range(VIDEOS)])
        path = folder / f"data/raw/{domain}/all.npz"
        npz_files.save(path, *keys, seed=seed, label=labels, split=splits)
    workspace.run("dvc", "repro", "features@lab", "features@yard")
    workspace.commit()
    cached = frozenset(_files(folder / ".dvc/cache/files"))
    return Trained(workspace, cached, (folder / "dvc.lock").read_text())


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}
