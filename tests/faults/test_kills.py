"""SIGKILL at random moments, time and again: the end is that of an undisturbed run."""

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from faults.project import published, results
from workspace import Workspace, videos_to_do

KILLS = 16
SEED = 20
VIDEOS = 24  # of both domains
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
        ["dvc", "repro"], cwd=workspace.folder, env=workspace.environment(),
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


def test_killed_at_random_moments_it_ends_as_if_undisturbed(
    project: Workspace, tmp_path: Path
) -> None:
    project.set_params(engine={"workers": 2})
    project.run("dvc", "repro")
    undisturbed = {domain: published(project, domain) for domain in ("lab", "yard")}
    models = results(project)
    for name in (".staging", ".dvc/cache", "data/index", "data/frames", "data/flow",
                 "data/features", "models/source", "models/adapted", "results"):  # fmt: skip
        shutil.rmtree(project.folder / name)
    (project.folder / "dvc.lock").unlink()
    begun = time.monotonic()
    drawn = random.Random(SEED)
    for number in range(KILLS):
        before = done(project)
        what = killed_after(project, drawn.uniform(1, 12), drawn)
        print(f"kill {number + 1}: {what}; {before} -> {done(project)} videos done")
        assert done(project) >= before
    kept = done(project)
    printed = project.run("dvc", "repro")
    print(f"the last run did {sum(videos_to_do(printed).values())} videos")
    assert sum(videos_to_do(printed).values()) <= len(PER_VIDEO) * VIDEOS - kept
    assert {domain: published(project, domain) for domain in ("lab", "yard")} == undisturbed
    assert results(project) == models
    print(f"{time.monotonic() - begun:.0f} s in all")
    assert "up to date" in project.run("dvc", "status")
