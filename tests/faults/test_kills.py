"""SIGKILL at random moments, time and again: the end is that of an undisturbed run."""

import random
import shutil
import time

from faults.kills import killed_after
from faults.project import published
from workspace import Workspace, videos_to_do

KILLS = 12
SEED = 20
VIDEOS = 12
PER_VIDEO = ("decode", "flow", "features")
REPRO = ("dvc", "repro", "features@yard")


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
    project.run(*REPRO)
    whole = time.monotonic() - begun
    forget_all(project)
    drawn = random.Random(SEED)
    for number in range(KILLS):
        before = done(project)
        what = killed_after(project, drawn.uniform(0.02, 0.3) * whole, drawn, *REPRO)
        print(f"kill {number + 1}: {what}; {before} -> {done(project)} videos done")
        assert done(project) >= before
    kept = done(project)
    printed = project.run(*REPRO)
    computed = sum(videos_to_do(printed).values())
    print(f"the last run did {computed} videos, {kept} were kept")
    assert computed <= len(PER_VIDEO) * VIDEOS - kept
    assert published(project) == undisturbed
    assert "up to date" in project.run("dvc", "status", "features@yard")
