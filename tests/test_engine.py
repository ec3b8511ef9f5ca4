"""Per-video work in processes: failures stay with their video, and nothing outlives the parent."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import engine
from pipeline.engine import Failure
from pipeline.errors import UserError, VideoError

ROOT = Path(engine.__file__).parent.parent


@dataclass(frozen=True)
class Task:
    """What a worker is to do, and the file that it leaves when it is done."""

    what: str
    mark: Path


def work(task: Task) -> None:
    """Does as it is told."""
    if task.what == "bad video":
        raise VideoError("cut off; replace it")
    if task.what == "silent video error":
        raise VideoError("")
    if task.what == "bug":
        raise RuntimeError("surprise")
    if task.what == "nothing works":
        raise UserError("no weights there; fetch them")
    if task.what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if task.what == "aborted":
        os.abort()
    if task.what == "kill twice":
        task.mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    task.mark.write_text(os.environ.get("OMP_NUM_THREADS", ""))


def tasks(folder: Path, *what: str) -> list[Task]:
    return [Task(name, folder / f"{number:02d}") for number, name in enumerate(what)]


def done(todo: list[Task]) -> list[bool]:
    return [task.mark.exists() for task in todo]


def reasons(failures: list[Failure[Task]]) -> dict[str, str]:
    return {failure.item.what: failure.reason for failure in failures}


def run(todo: list[Task], workers: int = 2) -> list[Failure[Task]]:
    return engine.run(work, todo, label="test", workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_all_items_are_worked_off_with_one_thread_a_process(workers: int, tmp_path: Path) -> None:
    todo = tasks(tmp_path, *["good"] * 9)
    assert run(todo, workers) == []
    assert done(todo) == [True] * 9
    assert {task.mark.read_text() for task in todo} == {"1"}


def test_no_items_are_no_failures() -> None:
    assert run([]) == []


def test_a_video_error_is_its_items_failure_and_the_others_go_on(tmp_path: Path) -> None:
    todo = tasks(tmp_path, "good", "bad video", "good", "silent video error", "good")
    failures = reasons(run(todo))
    assert failures == {"bad video": "cut off; replace it", "silent video error": ""}
    assert done(todo) == [True, False, True, False, True]


def test_an_unexpected_exception_names_its_type_and_place(tmp_path: Path) -> None:
    todo = tasks(tmp_path, "bug", "good")
    (reason,) = reasons(run(todo)).values()
    line = Path(__file__).read_text().splitlines().index('        raise RuntimeError("surprise")')
    assert f"unexpected RuntimeError at test_engine.py:{line + 1}: surprise" in reason
    assert done(todo) == [False, True]


def test_a_fault_that_is_not_the_videos_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no weights there; fetch them") as caught:
        run(tasks(tmp_path, "good", "nothing works", "good"))
    assert not isinstance(caught.value, VideoError)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", ["killed", "aborted"])
def test_a_process_that_dies_takes_only_its_own_item_along(
    how: str, workers: int, tmp_path: Path
) -> None:
    todo = tasks(tmp_path, *["good"] * 4, how, *["good"] * 4)
    failures = run(todo, workers)
    assert [failure.item for failure in failures] == [todo[4]]
    assert "its process died" in failures[0].reason
    assert done(todo) == [True] * 4 + [False] + [True] * 4


def test_many_deaths_and_errors_are_all_told(tmp_path: Path) -> None:
    todo = tasks(tmp_path, "killed", "good", "bad video", "aborted", "bug", "good", "kill twice")
    failures = run(todo)
    assert sorted(failure.item.what for failure in failures) == [
        *("aborted", "bad video", "bug", "kill twice", "killed"),
    ]
    assert done(todo) == [False, True, False, False, False, True, True]


@pytest.mark.parametrize("how", ["killed", "nothing works"])
def test_an_only_item_fails_alone(how: str, tmp_path: Path) -> None:
    todo = tasks(tmp_path, how)
    if how == "killed":
        assert list(reasons(run(todo))) == ["killed"]
    else:
        with pytest.raises(UserError):
            run(todo)


SLEEPERS = """
import os, sys, time
from pathlib import Path
from pipeline import engine

def sleep(mark):
    Path(mark).write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    engine.run(sleep, sys.argv[1:], label="sleep", workers=2)
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition: str, marks: list[Path], seconds: float = 30) -> list[int]:
    """Waits until all workers of the marks are "at work" or "gone"; returns their process ids."""
    end = time.monotonic() + seconds
    pids: list[int] = []
    while time.monotonic() < end:
        pids = [int(mark.read_text()) for mark in marks if mark.exists() and mark.read_text()]
        if len(pids) == len(marks) and (condition == "at work" or not any(map(alive, pids))):
            return pids
        time.sleep(0.05)
    raise AssertionError(f"after {seconds} s, not {condition}: {pids}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_die_with_their_parent(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    marks = [tmp_path / "a", tmp_path / "b"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(script), *map(str, marks)],
        env=environment,
        stderr=subprocess.DEVNULL,
    ) as parent:
        try:
            wait_until("at work", marks)
        finally:
            parent.send_signal(number)
    wait_until("gone", marks)
