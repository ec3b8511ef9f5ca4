"""A scratch copy of the project under git and DVC, with a demo small enough for tests."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
PARTS = ("pipeline", "params.yaml", "dvc.yaml", ".dvcignore", ".gitignore")
SMALL: dict[str, Any] = {
    "seeds": [0, 1],
    "demo": {"seed": 0, "train_per_class": 2, "test_per_class": 1},
    "clips": {"segments": 2, "windows": 1, "frames": 8, "sampling": "spread"},
    "decode": {"size": 48, "resize": "squash"},
    "network": {"layers": 2, "dropout": 0.3},
    "engine": {"workers": 1},
}


@dataclass(frozen=True)
class Workspace:
    """A project folder in which commands run."""

    folder: Path

    def environment(self) -> dict[str, str]:
        """The tools of this environment, and nothing of a DVC run that may be around the tests."""
        tools = str(Path(sys.executable).parent)
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("DVC")}
        return {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, *command: str, check: bool = True) -> str:
        """Runs a command to its end; returns what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout}")
        return done.stdout

    def set_params(self, **sections: Any) -> None:
        """Replaces sections of params.yaml; mappings are merged one level deep."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        for name, value in sections.items():
            merge = isinstance(value, dict) and isinstance(content.get(name), dict)
            content[name] = {**content[name], **value} if merge else value
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def commit(self) -> None:
        """Commits the workspace as it is."""
        self.run("git", "add", "-A")
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        self.run("git", *identity, "commit", "-q", "--allow-empty", "-m", "state")


def stages_run(printed: str) -> list[str]:
    """Names of the stages that a `dvc repro` or `dvc exp run` truly ran."""
    return re.findall(r"^Running stage '(?:[^':]*:)?([^']+)'", printed, flags=re.MULTILINE)


def videos_to_do(printed: str) -> dict[str, int]:
    """How many videos each per-video stage had to compute: "decode street" -> 3."""
    found = re.findall(r"^(\w+ [\w-]+): (\d+) videos to do", printed, flags=re.MULTILINE)
    return {name: int(count) for name, count in found}


def new_workspace(folder: Path, **sections: Any) -> Workspace:
    """A fresh workspace with the small demo and these sections of params.yaml."""
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            # with what Numba has compiled, which it takes for its own as long as the times are kept
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("*.pyc"))
        else:
            shutil.copy(source, folder / part)
    for backbone in ("i3d_nano", "imported"):
        shutil.copytree(ROOT / "models" / backbone, folder / "models" / backbone)
    (folder / "data/raw").mkdir(parents=True)
    (folder / "data/demo").mkdir()
    shutil.copy(ROOT / "data/demo/dvc.yaml", folder / "data/demo")
    workspace = Workspace(folder)
    workspace.run("git", "init", "-q")
    workspace.run("dvc", "init", "-q")
    shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
    workspace.set_params(**{**SMALL, **sections})
    workspace.set_params(pretrain={"epochs": 3}, adapt={"epochs": 3})
    workspace.commit()
    return workspace
