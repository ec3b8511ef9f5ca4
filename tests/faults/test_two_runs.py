"""Two `dvc repro` at once in one workspace: nothing is done twice, nothing is spoiled."""

import shutil
import subprocess
import time

import pytest
from faults.project import published
from workspace import Workspace, videos_to_do


def started(project: Workspace, target: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["dvc", "repro", target], cwd=project.folder, env=project.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.parametrize("delay", [0.0, 5.0])
def test_the_second_run_does_no_harm(delay: float, project: Workspace) -> None:
    undisturbed = published(project)
    for name in (".staging", ".dvc/cache", "data/frames", "data/flow", "data/features"):
        shutil.rmtree(project.folder / name)
    (project.folder / "dvc.lock").unlink()
    with started(project, "features@yard") as first:
        time.sleep(delay)
        with started(project, "features@yard") as second:
            told = [run.communicate(timeout=300)[0] for run in (first, second)]
    for number, (run, text) in enumerate(zip((first, second), told, strict=True), start=1):
        print(f"--- run {number} of 2, exit {run.returncode}\n{text}")
    assert 0 in (first.returncode, second.returncode)
    for run, text in zip((first, second), told, strict=True):
        assert run.returncode == 0 or "lock" in text or "is busy" in text
    computed = [videos_to_do(text) for text in told]
    for stage in ("decode", "flow", "features"):
        assert sum(one.get(f"{stage} yard", 0) for one in computed) <= 12
    project.run("dvc", "repro", "features@yard")
    assert published(project) == undisturbed
