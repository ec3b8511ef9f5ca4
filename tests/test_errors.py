"""Faults of the machine are told in a line; messages steer no terminal."""

import errno
import os
import signal
import sys
from pathlib import Path

import pytest

from pipeline import stages
from pipeline.errors import UserError, VideoError, of_the_machine


def full(number: int) -> OSError:
    return OSError(number, os.strerror(number), "data/flow/yard/0000.zip")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (full(errno.ENOSPC), "data/flow/yard/0000.zip: No space left on device; make room; "),
        (full(errno.EDQUOT), "data/flow/yard/0000.zip: Disk quota exceeded; make room, or "),
        (full(errno.EROFS), "data/flow/yard/0000.zip: Read-only file system; it must be writable"),
        (full(errno.EIO), "data/flow/yard/0000.zip: Input/output error; the disk may be failing"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; make room"),
        (RuntimeError("H5: No space left on device', buf"), "No space left on device; make room"),
        (MemoryError(), "out of memory; free some, or lower engine.workers"),
        (
            RuntimeError("CUDA error: no\nhints"),
            "the GPU failed (CUDA error: no); see `nvidia-smi`",
        ),
    ],
)
def test_what_to_do_about_it(fault: Exception, told: str) -> None:
    said = of_the_machine(fault)
    assert said is not None
    assert said.startswith(told)
    assert said.endswith("what was finished is kept; the next run goes on from here")


@pytest.mark.parametrize(
    "fault",
    [FileNotFoundError(errno.ENOENT, "no such file"), RuntimeError("shapes"), KeyError("a")],
)
def test_what_may_be_ours_is_not_explained_away(fault: Exception) -> None:
    assert of_the_machine(fault) is None

    def main() -> None:
        raise fault

    with pytest.raises(type(fault)):
        stages.run(main)


def test_a_stage_ends_with_the_line_alone(tmp_path: Path) -> None:
    def main() -> None:
        raise full(errno.ENOSPC)

    with pytest.raises(SystemExit, match=r"^error: data/flow/yard/0000\.zip: No space left"):
        stages.run(main)


def test_a_message_steers_no_terminal() -> None:
    text = "a\x1b[2J\x07 \u202eb\r\udcff\x7f\n  c: walk/日本 é\u200d😀"
    shown = "a\\x1b[2J\\x07 \\u202eb\\r\\udcff\\x7f\n  c: walk/日本 é\u200d😀"
    assert str(UserError(text)) == shown
    assert f"{VideoError(text)}" == shown


@pytest.mark.parametrize("words", ["", "interrupted: 3 of 4 are done"])
def test_ctrl_c_is_one_line_that_says_what_is_kept(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt(words)

    with pytest.raises(KeyboardInterrupt) as ended:
        stages.run(stopped, "interrupted: nothing is kept")
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # pytest wants to hear of Ctrl-C
    sys.excepthook(KeyboardInterrupt, ended.value, None)
    assert capsys.readouterr().err == (words or "interrupted: nothing is kept") + "\n"


def test_an_exception_of_ours_still_has_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    sys.excepthook(KeyError, KeyError("a"), None)
    assert capsys.readouterr().err == "KeyError: 'a'\n"
