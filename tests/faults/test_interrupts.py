"""Ctrl-C on a terminal, at any moment: one line that says what is kept, and no traceback."""

import os
import pty
import re
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import adapted_model
import pytest
from faults.project import film

from pipeline import tables

VIDEOS = 60
WITHIN = 60  # seconds until a moment comes, on a busy machine


class Terminal:
    """A command that runs on a terminal of its own."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.pid, self.master = pty.fork()
        if not self.pid:
            os.chdir(folder)
            environment = {**os.environ, "PYTHONPATH": str(adapted_model.ROOT)}
            os.execve(sys.executable, [sys.executable, "-m", *command], environment)
        termios.tcsetwinsize(self.master, (24, 120))
        settings = termios.tcgetattr(self.master)
        settings[3] |= termios.NOFLSH  # Ctrl-C would throw away what nobody has read yet
        termios.tcsetattr(self.master, termios.TCSANOW, settings)
        self.shown = b""
        os.set_blocking(self.master, False)

    def look(self) -> bool:
        """Takes what has been printed; False when the command is gone."""
        try:
            self.shown += os.read(self.master, 65536)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            return False
        return True

    def wait_until(self, condition: Callable[["Terminal"], bool]) -> None:
        """Waits for a moment."""
        end = time.monotonic() + WITHIN
        while not condition(self):
            assert self.look(), self.shown.decode()
            assert time.monotonic() < end, self.shown.decode()

    def end(self) -> tuple[int, list[str]]:
        """The signal that the command ended by, and the lines that it printed."""
        while self.look():
            pass
        _, status = os.waitpid(self.pid, 0)
        text = self.shown.decode().replace("^C", "")  # the terminal's echo
        lines = text.replace("\r\n", "\n").replace("\r", "\n").splitlines()
        return os.WTERMSIG(status), lines


def importing(terminal: Terminal) -> bool:
    process = Path(f"/proc/{terminal.pid}")
    begun = b"pipeline.predict" in (process / "cmdline").read_bytes()
    return begun and "libtorch" in (process / "maps").read_text()


def workers(terminal: Terminal) -> int:
    processes = Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").read_text().split()
    commands = [Path(f"/proc/{process}/cmdline").read_bytes() for process in processes]
    return sum(b"spawn_main" in command for command in commands)


def starting(terminal: Terminal) -> bool:
    return workers(terminal) == 1


def started(terminal: Terminal) -> bool:
    return workers(terminal) == 2


def at_work(terminal: Terminal) -> bool:
    done = re.findall(rf" (\d+)/{VIDEOS} \[".encode(), terminal.shown)
    return any(int(count) >= 3 for count in done)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        adapted_model.write()
    for number in range(VIDEOS):
        film(folder / f"mine/{number:03d}.mp4", number)
    return folder


@pytest.mark.parametrize("moment", [importing, starting, started, at_work])
@pytest.mark.parametrize("later", [0, 0.5])
def test_predict_tells_and_keeps_what_is_labelled(
    moment: Callable[[Terminal], bool], later: float, place: Path
) -> None:
    csv = place / "said.csv"
    csv.unlink(missing_ok=True)
    terminal = Terminal(place, "pipeline.predict", "mine", "--csv", csv.name, "--workers", "2")
    terminal.wait_until(moment)
    time.sleep(later)
    os.write(terminal.master, b"\x03\x03")  # an impatient user
    signal, lines = terminal.end()
    assert signal == 2
    assert "Traceback" not in "\n".join(lines)
    ends = [line for line in lines if line.startswith("interrupted: ")]
    assert ends == lines[-1:], lines
    labelled = len(tables.read(csv)) if csv.exists() else 0
    if moment is at_work:
        assert 0 < labelled < VIDEOS
        assert lines[-1] == (
            f"interrupted: {labelled} of {VIDEOS} videos are labelled, told and kept"
        )
    assert sum(line.startswith("mine/") for line in lines) == labelled
