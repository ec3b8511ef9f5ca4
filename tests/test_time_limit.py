"""A time limit ends what loops, what waits, and what hangs where no exception reaches it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import chores
import pytest
from chores import Chore

from pipeline import engine, time_limit
from pipeline.errors import VideoError
from pipeline.time_limit import limited

ROOT = Path(engine.__file__).parent.parent
HANGING = """
from pipeline import time_limit
time_limit.GRACE = 0.2
with time_limit.limited(0.2):
    sum(range(10**13))  # in C, and no other thread runs meanwhile
"""


def loop() -> None:
    while True:
        pass


def test_what_is_in_time_is_left_alone() -> None:
    with limited(0.2):
        pass
    with limited(None):
        pass
    time.sleep(0.3)


def test_a_loop_is_ended() -> None:
    begun = time.monotonic()
    said = r"not done after 0\.2 s \(engine\.video_timeout\)"
    with pytest.raises(VideoError, match=said), limited(0.2):
        loop()
    assert time.monotonic() - begun < 2


def test_what_waits_is_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(VideoError, match="not done"), limited(0.2):
        (tmp_path / "pipe").read_bytes()


def test_what_hangs_in_foreign_code_ends_with_its_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=20,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.fixture
def _workers_need_not_import_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", None)
    monkeypatch.delattr(main, "__file__", raising=False)


@pytest.mark.usefixtures("_workers_need_not_import_pytest")
def test_an_item_that_takes_too_long_fails_and_the_others_go_on(tmp_path: Path) -> None:
    todo = [Chore(what, tmp_path / str(n)) for n, what in enumerate(("good", "endless", "good"))]
    failures = engine.run(chores.work, todo, label="test", workers=2, timeout=0.5)
    assert [failure.item.what for failure in failures] == ["endless"]
    assert "not done after 0.5 s" in failures[0].reason
    assert [task.mark.exists() for task in todo] == [True, False, True]
    assert time_limit.GRACE > 1
