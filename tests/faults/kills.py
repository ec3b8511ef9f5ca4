"""Starts a command and kills it, or one process of it, with a signal that nobody can catch."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from workspace import Workspace


def family(pid: int) -> list[int]:
    """A process and all that it started, itself first."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        children = [int(child) for child in path.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid, *(relative for child in children for relative in family(child))]


def started(workspace: Workspace, *command: str) -> "subprocess.Popen[bytes]":
    """The command at work in the workspace; what it prints is added to killed.log."""
    with (workspace.folder / "killed.log").open("a") as log:
        return subprocess.Popen(
            command, cwd=workspace.folder, env=workspace.environment(), stdout=log, stderr=log
        )


def kill(*pids: int) -> None:
    """SIGKILL to each that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def killed_after(workspace: Workspace, seconds: float, drawn: random.Random, *command: str) -> str:
    """Starts a command and kills all of it, or one process of it; says what it did."""
    with started(workspace, *command) as process:
        time.sleep(seconds)
        return f"after {seconds:.1f} s, {kill_some(process.pid, drawn)}"


def killed_when(
    workspace: Workspace, so: Callable[[], bool], drawn: random.Random, *command: str
) -> str:
    """The same as soon as something is so, and up to half a second later."""
    with started(workspace, *command) as process:
        while process.poll() is None and not so():
            time.sleep(0.002)
        later = drawn.choice((0, drawn.uniform(0, 0.5)))
        time.sleep(later)
        return f"{later:.2f} s later, {kill_some(process.pid, drawn)}"


def kill_some(pid: int, drawn: random.Random) -> str:
    """SIGKILL to a process and all that it started, or to one of them; says which."""
    relatives = family(pid)
    victims = relatives if drawn.random() < 0.5 else [drawn.choice(relatives or [pid])]
    kill(*victims)
    return f"{len(victims)} of {len(relatives)} processes"
