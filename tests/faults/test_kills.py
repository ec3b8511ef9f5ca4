"""SIGKILL at random moments, time and again: the end is that of an undisturbed run."""

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from faults.project import published
from workspace import Workspace, videos_to_do

KILLS = 12
SEED = 20
VIDEOS = 12
PER_VIDEO = ("decode", "flow", "features")


def family(pid: int) -> list[int]:
    """A process and all that it started, itself first."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        children = [int(child) for child in path.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid, *(relative for child in children for relative in family(child))]


def killed_after(workspace: Workspace, seconds: float, drawn: random.Random) -> str:
    """Starts `dvc repro` and kills all of it, or one process of it; says what it did."""
    with (workspace.folder / "killed.log").open("a") as log, subprocess.Popen(
        ["dvc", "repro", "features@yard"], cwd=workspace.folder, env=workspace.environment(),
        stdout=log, stderr=log,
    ) as dvc:  # fmt: skip
        time.sleep(seconds)
        relatives = family(dvc.pid)
        victims = relatives if drawn.random() < 0.5 else [drawn.choice(relatives or [dvc.pid])]
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return f"after {seconds:.1f} s, {len(victims)} of {len(relatives)} processes"


def done(workspace: Workspace) -> int:
    """Finished work in the staging store."""
    return sum(
        len(list((workspace.folder / ".staging" / stage).glob("*/[0-9a-f]*")))
        for stage in PER_VIDEO
    )


def forget_all(project: Workspace) -> None:
    for name in (".staging", ".dvc/cache", "data/index", "data/frames", "data/flow",
                 "data/features"):  # fmt: skip
        shutil.rmtree(project.folder / name)
    (project.folder / "dvc.lock").unlink()


def test_killed_at_random_moments_it_ends_as_if_undisturbed(project: Workspace) -> None:
    undisturbed = published(project)
    project.set_params(engine={"workers": 2})
    forget_all(project)
    begun = time.monotonic()
    project.run("dvc", "repro", "features@yard")
    whole = time.monotonic() - begun
    forget_all(project)
    drawn = random.Random(SEED)
    for number in range(KILLS):
        before = done(project)
        what = killed_after(project, drawn.uniform(0.02, 0.3) * whole, drawn)
        print(f"kill {number + 1}: {what}; {before} -> {done(project)} videos done")
        assert done(project) >= before
    kept = done(project)
    printed = project.run("dvc", "repro", "features@yard")
    computed = sum(videos_to_do(printed).values())
    print(f"the last run did {computed} videos, {kept} were kept")
    assert computed <= len(PER_VIDEO) * VIDEOS - kept
    assert published(project) == undisturbed
    assert "up to date" in project.run("dvc", "status", "features@yard")
