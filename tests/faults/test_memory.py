"""Workers that want more memory than there is: a real limit, and the kernel's own killer."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import ROOT

GROUPS = Path("/sys/fs/cgroup/memory")
MEGABYTE = 2**20

SCRIPT = """
import os, sys
from pathlib import Path
from pipeline import engine

def work(task):
    name, megabytes = task
    held = bytearray(megabytes << 20)
    for place in range(0, len(held), 4096):
        held[place] = 1
    Path(name).write_text("done")

if __name__ == "__main__":
    group, folder = sys.argv[1:]
    Path(group, "cgroup.procs").write_text(str(os.getpid()))
    tasks = [(f"{folder}/{n}", 10) for n in range(6)]
    tasks[2:2] = [(f"{folder}/huge", 2000)]
    tasks[5:5] = [(f"{folder}/large {n}", 200) for n in range(2)]
    for failure in engine.run(work, tasks, label="eat", workers=2):
        print(Path(failure.item[0]).name, "|", failure.reason)
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """A group of processes that may have 400 MB together."""
    folder = GROUPS / f"vidshift-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(400 * MEGABYTE))
    except OSError as fault:
        pytest.skip(f"no memory limits here: {fault}")
    yield folder
    folder.rmdir()


def test_the_killer_takes_the_greedy_video_and_no_other(group: Path, tmp_path: Path) -> None:
    script = tmp_path / "eat.py"
    script.write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run(
        [sys.executable, str(script), str(group), str(tmp_path)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300, check=False,
    )  # fmt: skip
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith("huge | its process died: out of memory")
    made = sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".py")
    assert made == ["0", "1", "2", "3", "4", "5", "large 0", "large 1"]
