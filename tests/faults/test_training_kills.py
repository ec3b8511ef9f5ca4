"""SIGKILL at random moments of the training stages: nothing half-written is taken for whole."""

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest
from faults.kills import family, kill, killed_when, started
from faults.trained import STAGES, Trained, new

MOMENTS = ("is at work", "writes", "has written")
OUTS = {  # the first output of each
    "pretrain": "models/source",
    "adapt": "models/adapted",
    "evaluate": "results/metrics.json",
    "report": "results/figures",
    "joint": "models/joint",
}
SEED = 21
PATIENCE = 600  # seconds, on a busy machine, with the stages before
FIRST = {"pretrain": {"lr": 0.01}, "adapt": {"lr": 0.001}, "joint": {"lr": 0.001},
         "evaluate": {"embedding": 10}}  # fmt: skip
OTHERS = {"pretrain": {"lr": 0.02}, "adapt": {"lr": 0.002}, "joint": {"lr": 0.002},
          "evaluate": {"embedding": 12}}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return new(tmp_path_factory.mktemp("trained") / "project")


def test_killed_at_random_moments_each_stage_ends_as_if_undisturbed(project: Trained) -> None:
    project.workspace.run("dvc", "repro", *STAGES.values())
    undisturbed = project.made()
    project.forget()
    drawn = random.Random(SEED)
    for stage, target in STAGES.items():
        for moment in MOMENTS:
            so = partial(reached, project, begun(project), stage, moment, drawn)
            what = killed_when(project.workspace, so, drawn, "dvc", "repro", target)
            there = project.made()
            print(f"{stage}, when it {moment}: {what}; {len(there)} files there")
            assert there.items() <= undisturbed.items()
        project.workspace.run("dvc", "repro", target)
    assert project.made() == undisturbed
    for target in STAGES.values():
        assert "up to date" in project.workspace.run("dvc", "status", target)


def begun(project: Trained) -> int:
    """How many stages were started by DVC runs that are to be killed."""
    log = project.workspace.folder / "killed.log"
    return log.read_text().count("Running stage") if log.exists() else 0


def reached(project: Trained, before: int, stage: str, moment: str, drawn: random.Random) -> bool:
    """Whether a stage that DVC has started is as far as that; is asked every 2 ms."""
    if begun(project) == before:
        return False
    out = project.workspace.folder / OUTS[stage]
    if moment == "is at work":
        return drawn.random() < 0.001
    return out.exists() if moment == "has written" else any(out.parent.glob(".*.part"))


@pytest.fixture(scope="module")
def wanted(project: Trained) -> dict[str, str]:
    """What comes of the other parameters, undisturbed."""
    project.workspace.set_params(**OTHERS)
    project.workspace.run("dvc", "repro", *STAGES.values())
    return project.made()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_outlives_dvc_has_not_the_last_word(
    stage: str, project: Trained, wanted: dict[str, str]
) -> None:
    """It was started with other parameters than those of the run that follows."""
    workspace, lock = project.workspace, project.workspace.folder / f".staging/.{stage}.lock"
    log = workspace.folder / "killed.log"
    project.forget()
    workspace.set_params(**FIRST)
    lock.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    with started(workspace, "dvc", "repro", STAGES[stage]) as dvc:
        until(lock.exists)
        time.sleep(0.2)  # its parameters are read by then
        dvc_itself, *_, orphan = family(dvc.pid)
        os.kill(orphan, signal.SIGSTOP)
        kill(dvc_itself)
    workspace.set_params(**OTHERS)
    with started(workspace, "dvc", "repro", STAGES[stage]) as dvc:
        try:
            until(lambda: f"{stage}: waiting for another run of it" in log.read_text())
        finally:
            os.kill(orphan, signal.SIGCONT)
    assert dvc.returncode == 0
    there = project.made()
    assert there
    assert there.items() <= wanted.items()
    assert "up to date" in workspace.run("dvc", "status", STAGES[stage])


def until(so: Callable[[], bool]) -> None:
    """Waits until something is so."""
    given_up = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < given_up, "it never came about"
        time.sleep(0.01)
