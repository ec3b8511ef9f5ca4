"""docs/team.md, "One cache for all": two users of one machine, one DVC cache."""

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import npz_files
import numpy as np
import pytest
from faults.people import introduce, types
from workspace import Workspace, new_workspace, stages_run

GROUP = 61000
ANNA, BERT = 61001, 61002
DOMAINS = ("lab", "yard")
SPLIT = ["train"] * 6 + ["test"] * 6
OF_A_TASK = ["adapt", "evaluate", "retrieval", "report"]
TRY = "dvc exp run --allow-missing --name NAME -S adapt.lambda1=VALUE"


def unreachable() -> str:
    """Why the two users cannot run Python and DVC here; empty if they can."""
    if os.geteuid() != 0:
        return "needs root, to act as two users"
    interpreter = Path(sys.executable).resolve()
    for folder in [*Path(sys.executable).parents, *interpreter.parents]:
        if not folder.stat().st_mode & stat.S_IXOTH:
            return f"other users cannot reach {interpreter}: {folder} is closed to them"
    return ""


pytestmark = pytest.mark.skipif(bool(unreachable()), reason=unreachable())


@dataclass(frozen=True)
class User(Workspace):
    """A workspace in which commands run as a user of this machine, in the team's group."""

    uid: int
    home: Path

    def run(self, *command: str, check: bool = True) -> str:
        ids = (f"--reuid={self.uid}", f"--regid={self.uid}", f"--groups={GROUP}")
        own = (f"HOME={self.home}", "USER=me")
        return super().run("setpriv", *ids, "env", *own, *command, check=check)


@pytest.fixture(scope="module")
def machine() -> Iterator[Path]:
    """A folder that every user of this machine can reach, with a git remote, a cache, videos."""
    folder = Path(tempfile.mkdtemp(prefix="team-"))
    folder.chmod(0o755)
    root = Workspace(folder)
    root.run("git", "init", "-q", "--bare", "--shared=group", "origin")
    root.run("chgrp", "-R", str(GROUP), "origin")
    types(
        root,
        "install --directory --mode 2770 --group GROUP CACHE",
        group=str(GROUP),
        cache=str(folder / "cache"),
    )
    for number, domain in enumerate(DOMAINS):
        save_features(folder / "videos" / domain / "features.npz", seed=number)
    yield folder
    shutil.rmtree(folder)


def save_features(path: Path, seed: int) -> None:
    """Twelve videos of three classes, half of them for training; 16 features."""
    classes = np.arange(12) % 3
    rgb, flow = np.random.default_rng(seed).normal(size=(2, 12, 5, 16)) + classes[:, None, None]
    label = np.array(["jump", "run", "walk"])[classes]
    names = [f"{number}.mp4" for number in range(12)]
    npz_files.save(path, *names, rgb=rgb, flow=flow, label=label, split=SPLIT)


@pytest.fixture(scope="module")
def anna(machine: Path) -> User:
    """Has run the pipeline and pushed what git keeps."""
    home = machine / "anna"
    new_workspace(
        home / "project",
        seeds=[0],
        task={"source": DOMAINS[0], "target": DOMAINS[1]},
        domains={name: {"dataset": "imported"} for name in DOMAINS},
        features={"backbone": "imported"},
    )
    Workspace(home).run("chown", "-R", f"{ANNA}:{ANNA}", ".")
    user = User(home / "project", ANNA, home)
    trust(user, machine)
    settle(user, machine)
    user.run("dvc", "repro")
    introduce(user)
    user.commit()
    user.run("git", "push", "-q", str(machine / "origin"), "HEAD")
    return user


@pytest.fixture(scope="module")
def bert(machine: Path, anna: User) -> User:
    """Has a clone of the same, and nothing else yet."""
    home = machine / "bert"
    home.mkdir()
    os.chown(home, BERT, BERT)
    newcomer = User(home, BERT, home)
    trust(newcomer, machine)
    newcomer.run("git", "clone", "-q", str(machine / "origin"), "project")
    user = User(home / "project", BERT, home)
    introduce(user)
    settle(user, machine)
    return user


def trust(user: User, machine: Path) -> None:
    """Tells git that a repository in another's folder is no trap."""
    line = "git config --global --add safe.directory FOLDER"
    types(user, line, folder=str(machine / "origin"))


def settle(user: User, machine: Path) -> None:
    """Shows a clone the shared cache and the shared videos."""
    types(user, "dvc config --local cache.dir CACHE", cache=str(machine / "cache"))
    types(user, "dvc config --local cache.shared group")
    user.run("mkdir", "-p", "data/raw")
    for domain in DOMAINS:
        user.run("ln", "-s", str(machine / "videos" / domain), f"data/raw/{domain}")


def test_the_other_user_has_everything_at_once(anna: User, bert: User, machine: Path) -> None:
    before = contents(machine / "cache")
    types(bert, "dvc checkout --allow-missing")
    assert stages_run(types(bert, "dvc repro")) == []
    assert (bert.folder / "models/source/card.json").read_bytes() == (
        anna.folder / "models/source/card.json"
    ).read_bytes()
    assert contents(machine / "cache") == before


def test_what_one_adds_the_other_has(anna: User, bert: User, machine: Path) -> None:
    types(bert, "dvc checkout --allow-missing")
    printed = types(bert, TRY, name="three", value="3")
    assert stages_run(printed) == OF_A_TASK
    printed = types(anna, TRY, name="same", value="3")
    assert stages_run(printed) == []
    assert (anna.folder / "results/metrics.json").read_bytes() == (
        bert.folder / "results/metrics.json"
    ).read_bytes()
    owners = {path.stat().st_uid for path in files(machine / "cache")}
    assert owners == {ANNA, BERT}


def test_neither_writes_through_a_link_into_the_cache(
    anna: User, bert: User, machine: Path
) -> None:
    types(bert, "dvc checkout --allow-missing")
    before = contents(machine / "cache")
    foreign = bert.folder / "models/source/card.json"
    assert "Permission denied" in bert.run("sh", "-c", f"echo x >> {foreign}", check=False)
    for user in (anna, bert):
        for stage in ("pretrain", "adapt", "evaluate", "report"):
            user.run("python", "-m", f"pipeline.stages.{stage}")
    assert contents(machine / "cache") == before


def test_every_object_is_what_its_name_says(anna: User, bert: User, machine: Path) -> None:
    for path in files(machine / "cache/files"):
        md5 = (path.parent.name + path.name).removesuffix(".dir")
        assert hashlib.md5(path.read_bytes()).hexdigest() == md5
        assert stat.S_IMODE(path.stat().st_mode) == 0o444


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in files(folder)}
