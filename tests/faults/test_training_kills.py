"""SIGKILL at random moments of the training stages: nothing half-written is taken for whole."""

import os
import random
import signal
import time
from collections.abc import Callable

import pytest
from faults.kills import family, kill, killed_after, started
from faults.trained import STAGES, Trained, new

KILLS = {"pretrain": 3, "adapt": 3, "evaluate": 2, "report": 2, "joint": 2}
SEED = 21
PATIENCE = 120  # seconds, on a busy machine
FIRST = {"pretrain": {"lr": 0.01}, "adapt": {"lr": 0.001}, "joint": {"lr": 0.001},
         "evaluate": {"embedding": 10}}  # fmt: skip
OTHERS = {"pretrain": {"lr": 0.02}, "adapt": {"lr": 0.002}, "joint": {"lr": 0.002},
          "evaluate": {"embedding": 12}}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return new(tmp_path_factory.mktemp("trained") / "project")


def test_killed_at_random_moments_each_stage_ends_as_if_undisturbed(project: Trained) -> None:
    seconds = {}
    for stage, target in STAGES.items():
        begun = time.monotonic()
        project.workspace.run("dvc", "repro", target)
        seconds[stage] = time.monotonic() - begun
    undisturbed = project.made()
    project.forget()
    drawn = random.Random(SEED)
    for stage, target in STAGES.items():
        for number in range(KILLS[stage]):
            after = drawn.uniform(0.1, 0.95) * seconds[stage]
            what = killed_after(project.workspace, after, drawn, "dvc", "repro", target)
            there = project.made()
            print(f"{stage}, kill {number + 1}: {what}; {len(there)} files there")
            assert there.items() <= undisturbed.items()
        project.workspace.run("dvc", "repro", target)
    assert project.made() == undisturbed
    for target in STAGES.values():
        assert "up to date" in project.workspace.run("dvc", "status", target)


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
        until(lambda: f"{stage}: waiting for another run of it" in log.read_text())
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
