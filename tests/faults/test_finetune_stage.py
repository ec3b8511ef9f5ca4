"""Stage `finetune` as DVC runs it: from videos to a backbone, and killed on the way."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from faults.kills import family
from faults.project import new_project
from workspace import ROOT, Workspace, stages_run

KILLS = 3


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A project of short films, fine-tuned once by DVC."""
    clips = {"segments": 1, "windows": 1, "frames": 8, "sampling": "all"}
    project = new_project(tmp_path_factory.mktemp("films") / "project", clips=clips, seeds=[0, 1])
    shutil.copytree(ROOT / "finetune", project.folder / "finetune")
    project.set_params(finetune={"epochs": 3, "batch_size": 4, "evaluations": 2, "test_windows": 2})
    project.run("dvc", "repro", "finetune/dvc.yaml")
    return project


def made(project: Workspace) -> dict[str, bytes]:
    """What the stage leaves, by file."""
    folder = project.folder / "models/finetuned"
    results = sorted((project.folder / "results").glob("finetune*.*"))
    return {path.name: path.read_bytes() for path in [*sorted(folder.iterdir()), *results]}


def test_a_second_run_has_nothing_to_do_and_nothing_stays_in_the_staging_store(
    project: Workspace,
) -> None:
    assert stages_run(project.run("dvc", "repro", "finetune/dvc.yaml")) == []
    assert not list((project.folder / ".staging/finetune").glob("*/[0-9a-f]*"))
    expected = {"seed-0.safetensors", "seed-1.safetensors", "finetune.json", "finetune.html"}
    assert expected | {"finetune_predictions.csv"} < made(project).keys()
    assert (project.folder / "results/finetune_figures/confusion.svg").exists()


def test_killed_time_and_again_it_ends_in_the_same_bytes(project: Workspace) -> None:
    expected, drawn = made(project), random.Random(0)
    shutil.rmtree(project.folder / "models/finetuned")
    kept = project.folder / ".staging/finetune/lab-yard"
    for _ in range(KILLS):
        killed_after_an_epoch(project, kept, drawn)
    assert any(kept.glob("[0-9a-f]*"))
    project.run(sys.executable, "-m", "pipeline.stages.finetune")
    assert made(project) == expected


def killed_after_an_epoch(project: Workspace, kept: Path, drawn: random.Random) -> None:
    """Starts the stage, and kills all of it soon after it has saved one more epoch."""
    before = state(kept)
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.stages.finetune"],
        cwd=project.folder,
        env=project.environment(),
    ) as stage:
        while stage.poll() is None and state(kept) == before:
            time.sleep(0.05)
        assert stage.poll() is None, "it ended before it could be killed"
        time.sleep(drawn.random())
        for pid in family(stage.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def state(kept: Path) -> set[tuple[str, int]]:
    """The saved runs and when each was saved."""
    return {(path.name, path.stat().st_mtime_ns) for path in kept.glob("[0-9a-f]*")}


def test_a_fine_tuned_network_is_a_backbone_of_its_own(project: Workspace) -> None:
    project.run("dvc", "repro", "features@yard")
    plain = (project.folder / "data/features/yard/0000.h5").read_bytes()
    project.run(sys.executable, "-m", "pipeline.finetune.export", "--seed", "1")
    project.set_params(features={"backbone": "i3d_nano_tuned"})
    project.run("dvc", "repro", "evaluate")
    assert (project.folder / "data/features/yard/0000.h5").read_bytes() != plain
    card = json.loads((project.folder / "models/adapted/card.json").read_text())
    assert card["features"]["features"]["backbone"] == "i3d_nano_tuned"
    assert card["training"]["adapt"]["method"] == "mtran"


def test_a_seed_that_is_not_there_is_told(project: Workspace) -> None:
    command = (sys.executable, "-m", "pipeline.finetune.export", "--seed", "7")
    assert "no network of seed 7; there: 0, 1" in project.run(*command, check=False)
