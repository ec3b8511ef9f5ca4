"""Per-video work in processes: failures stay with their video, and nothing outlives the parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import chores
import pytest
from chores import Chore, work

from pipeline import engine
from pipeline.engine import Failure
from pipeline.errors import UserError, VideoError

ROOT = Path(engine.__file__).parent.parent


@pytest.fixture(autouse=True)
def _workers_need_not_import_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", None)
    monkeypatch.delattr(main, "__file__", raising=False)


def chores_in(folder: Path, *what: str) -> list[Chore]:
    return [Chore(name, folder / f"{number:02d}") for number, name in enumerate(what)]


def done(todo: list[Chore]) -> list[bool]:
    return [task.mark.exists() for task in todo]


def reasons(failures: list[Failure[Chore]]) -> dict[str, str]:
    return {failure.item.what: failure.reason for failure in failures}


def run(todo: list[Chore], workers: int = 2) -> list[Failure[Chore]]:
    return engine.run(work, todo, label="test", workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_all_items_are_worked_off_with_one_thread_a_process(workers: int, tmp_path: Path) -> None:
    todo = chores_in(tmp_path, *["good"] * 9)
    assert run(todo, workers) == []
    assert done(todo) == [True] * 9
    assert {task.mark.read_text() for task in todo} == {"1"}


def test_results_come_with_their_items_and_failures_apart() -> None:
    failures = list[Failure[str]]()
    got = engine.results(chores.doubled, ["a", "bad", "c"], failures, label="test", workers=2)
    assert sorted(got) == [("a", "aa"), ("c", "cc")]
    assert failures == [Failure("bad", "cut off")]


def test_work_stays_near_what_is_asked_for(tmp_path: Path) -> None:
    """What waits to be asked for must fit into memory."""
    todo = chores_in(tmp_path, *["good"] * 30)
    got = engine.results(work, todo, [], label="test", workers=1)
    next(got)
    time.sleep(0.5)
    assert sum(done(todo)) <= 4


def test_no_items_are_no_failures() -> None:
    assert run([]) == []


def test_a_video_error_is_its_items_failure_and_the_others_go_on(tmp_path: Path) -> None:
    todo = chores_in(tmp_path, "good", "bad video", "good", "silent video error", "good")
    failures = reasons(run(todo))
    assert failures == {"bad video": "cut off; replace it", "silent video error": ""}
    assert done(todo) == [True, False, True, False, True]


def test_an_unexpected_exception_names_its_type_and_place(tmp_path: Path) -> None:
    todo = chores_in(tmp_path, "bug", "good")
    (reason,) = reasons(run(todo, workers=1)).values()
    lines = Path(chores.__file__).read_text().splitlines()
    line = lines.index('        raise RuntimeError("surprise")') + 1
    assert f"unexpected RuntimeError at chores.py:{line}: surprise" in reason
    assert done(todo) == [False, True]


def test_a_fault_that_is_not_the_videos_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no weights there; fetch them") as caught:
        run(chores_in(tmp_path, "good", "nothing works", "good"))
    assert not isinstance(caught.value, VideoError)


@pytest.mark.parametrize(("how", "workers"), [("killed", 2), ("aborted", 1)])
def test_a_process_that_dies_takes_only_its_own_item_along(
    how: str, workers: int, tmp_path: Path
) -> None:
    todo = chores_in(tmp_path, *["good"] * 4, how, *["good"] * 4)
    failures = run(todo, workers)
    assert [failure.item for failure in failures] == [todo[4]]
    assert "its process died" in failures[0].reason
    assert done(todo) == [True] * 4 + [False] + [True] * 4


def test_many_deaths_and_errors_are_all_told(tmp_path: Path) -> None:
    todo = chores_in(tmp_path, "killed", "good", "bad video", "aborted", "bug", "good")
    failures = run(todo)
    assert sorted(reasons(failures)) == ["aborted", "bad video", "bug", "killed"]
    assert done(todo) == [False, True, False, False, False, True]


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


INTERRUPTED = """
import os, sys, time
from pathlib import Path
from pipeline import engine, stages

def hang(place):
    if place == sys.argv[1]:
        Path(sys.argv[2], str(os.getpid())).touch()
        time.sleep(600)

if __name__ == "__mp_main__":
    hang("start")  # while the worker is being started

if __name__ == "__main__":
    items = ["work"] * 50
    stages.run(lambda: engine.run(hang, items, label="hang", workers=2), "interrupted: well")
"""


@pytest.mark.parametrize("place", ["start", "work"])
def test_ctrl_c_ends_all_at_once_with_one_line(place: str, tmp_path: Path) -> None:
    script, marks = tmp_path / "script.py", tmp_path / "marks"
    script.write_text(INTERRUPTED)
    marks.mkdir()
    with subprocess.Popen(
        [sys.executable, str(script), place, str(marks)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        end = time.monotonic() + 30
        while len(list(marks.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        workers = [int(mark.name) for mark in marks.iterdir()]
        for worker in workers:  # Ctrl-C reaches them too, perhaps before the parent ends them
            os.kill(worker, signal.SIGINT)
        time.sleep(0.3)
        assert all(map(alive, workers))
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=30)
    assert said == "interrupted: well\n"
    assert parent.returncode == -signal.SIGINT
    assert len(workers) == 2
    assert not any(map(alive, workers))


def test_who_asks_for_no_more_need_not_wait_for_what_is_in_work(tmp_path: Path) -> None:
    todo = chores_in(tmp_path, "good", "slow")
    got = engine.results(work, todo, [], label="test", workers=1)
    next(got)
    got.close()  # type: ignore[attr-defined]
    assert done(todo) == [True, False]
