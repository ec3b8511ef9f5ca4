"""Videos without end and decoders that hang: a row in the table, and the others go on."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from faults.long_films import repeated
from faults.project import published, raw
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
    printed = project.run("dvc", "repro", "features@yard", check=False)
    print(printed)
    assert "decode yard: 1 of 13 videos cannot be used; the other 12 are done and kept" in printed
    assert "not done after 5 s (engine.video_timeout)" in printed
    skip = {"run/endless.mp4": "endless"}
    project.set_params(domains={"yard": {"dataset": "folder", "skip": skip}})
    printed = project.run("dvc", "repro", "features@yard")
    assert set(videos_to_do(printed).values()) <= {0}
    assert published(project) == undisturbed


def waits_for(process: "subprocess.Popen[bytes]") -> set[str]:
    """What the kernel says that the threads of a process wait for."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return {(task / "wchan").read_text() for task in tasks}


def test_a_pipe_makes_dvc_itself_wait_and_a_line_of_the_docs_finds_it(project: Workspace) -> None:
    os.mkfifo(raw(project) / "run/pipe.mp4")
    with subprocess.Popen(
        ["dvc", "repro", "index@yard"], cwd=project.folder, env=project.environment()
    ) as process:
        end = time.monotonic() + 120
        while not waits_for(process) & {"wait_for_partner", "fifo_open"}:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.5)
        process.kill()
    line = "find -L data/raw/yard ! -type f ! -type d"
    assert line in (ROOT / "docs/faults.md").read_text()
    assert project.run("sh", "-c", line) == "data/raw/yard/run/pipe.mp4\n"
    (raw(project) / "run/pipe.mp4").unlink()
    assert "up to date" in project.run("dvc", "status", "index@yard")
