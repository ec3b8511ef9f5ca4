"""Videos without end, and what is no file at all: a row in the table, and the others go on."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.long_films import repeated
from faults.project import film, published, raw
from workspace import ROOT, Workspace, videos_to_do

STUCK = """
import sys, time
from pathlib import Path
from pipeline import engine, time_limit

def work(name):
    if name.endswith("stuck"):
        time_limit.GRACE = 1.0
        with time_limit.limited(2.0):
            sum(range(10**13))
    Path(name).write_text("done")

if __name__ == "__main__":
    names = [f"{sys.argv[1]}/{name}" for name in ("a", "b", "stuck", "c", "d")]
    for failure in engine.run(work, names, label="stuck", workers=2, timeout=30):
        print(Path(failure.item).name, "|", failure.reason)
"""


def test_a_decoder_that_hangs_ends_with_its_process_and_the_others_go_on(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(STUCK)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120, check=True,
    )  # fmt: skip
    (line,) = done.stdout.splitlines()
    assert re.match(r"stuck \| its process died: .*beyond engine\.video_timeout", line)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "d", "script.py"]


def test_a_video_beyond_the_limit_is_a_row_and_the_others_are_kept(project: Workspace) -> None:
    undisturbed = published(project)
    repeated(raw(project) / "run/endless.mp4", hours=24, size=(640, 360), fps=24)
    project.set_params(engine={"video_timeout": 5})
    begun = time.monotonic()
    printed = project.run("dvc", "repro", "features@yard", check=False)
    print(printed)
    assert time.monotonic() - begun < 60
    assert "decode yard: 1 of 13 videos cannot be used; the other 12 are done and kept" in printed
    assert "not done after 5 s (engine.video_timeout)" in printed
    skip = {"run/endless.mp4": "endless"}
    project.set_params(domains={"yard": {"dataset": "folder", "skip": skip}})
    printed = project.run("dvc", "repro", "features@yard")
    assert set(videos_to_do(printed).values()) <= {0}
    assert published(project) == undisturbed


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_is_told(kind: str, project: Workspace, tmp_path: Path) -> None:
    path = raw(project) / f"run/{kind}.mp4"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, 0o20666, os.makedev(1, 5))  # zeros without end
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    film(raw(project) / "run/900.mp4", 900)
    process = subprocess.Popen(
        ["dvc", "repro", "features@yard"], cwd=project.folder, env=project.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        printed = process.communicate(timeout=60)[0]
        print(process.returncode, printed)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"hangs: {process.communicate()[0]}")
