"""People of a team: each has a clone, and types what docs/team.md says."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import yaml
from workspace import ROOT, Workspace

PAGE = (ROOT / "docs/team.md").read_text(encoding="utf-8")
NEVER_SHARED = ("data/raw/", "data/frames/", "data/flow/")
IN_GIT = ("results/metrics.json", "results/retrieval.json")


def types(person: Workspace, line: str, *, check: bool = True, **blanks: str) -> str:
    """Runs a line of docs/team.md with its BLANKS filled in; returns what it printed."""
    assert line in PAGE, f"docs/team.md does not say: {line}"
    for name, value in blanks.items():
        line = line.replace(name.upper(), shlex.quote(value))
    return person.run(*shlex.split(line), check=check)


def clone(origin: Path, folder: Path) -> Workspace:
    """A person's own clone."""
    Workspace(origin).run("git", "clone", "-q", str(origin), str(folder))
    return introduce(Workspace(folder))


def introduce(person: Workspace) -> Workspace:
    """Tells git who they are."""
    person.run("git", "config", "user.name", person.folder.name)
    person.run("git", "config", "user.email", f"{person.folder.name}@example.org")
    return person


def shared(person: Workspace) -> dict[str, int]:
    """What a team shares of a finished run: the md5 of every object and its bytes."""
    return _objects(person, lambda path: not path.startswith(NEVER_SHARED))


def unshared(person: Workspace) -> dict[str, int]:
    """What stays on a machine: videos, frames, flow."""
    return _objects(person, lambda path: path.startswith(NEVER_SHARED))


def _objects(person: Workspace, wanted: Callable[[str], bool]) -> dict[str, int]:
    found: dict[str, int] = {}
    for lock in ("dvc.lock", "data/demo/dvc.lock"):
        stages = yaml.safe_load((person.folder / lock).read_text())["stages"]
        outs = {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}
        for path, md5 in outs.items():
            if path not in IN_GIT and wanted(path):
                found |= _parts(person, md5)
    return found


def _parts(person: Workspace, md5: str) -> dict[str, int]:
    """An object of the cache and, if it lists a folder, those of the files in it."""
    path = person.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    found = {md5: path.stat().st_size}
    if md5.endswith(".dir"):
        for entry in json.loads(path.read_text()):
            found |= _parts(person, entry["md5"])
    return found
