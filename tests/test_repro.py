"""The whole pipeline as a user runs it: `dvc repro`, `dvc exp run`, faults in between."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from workspace import Workspace, new_workspace, stages_run, videos_to_do

RESULTS = ("metrics.json", "predictions.csv", "confusion.csv", "embedding.csv", "report.html")
OF_A_TASK = ["adapt", "evaluate", "report"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace after its first `dvc repro`, committed."""
    workspace = new_workspace(tmp_path_factory.mktemp("finished") / "project")
    workspace.run("dvc", "repro")
    workspace.commit()
    return workspace


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".gitignore"
    }


def test_one_command_leads_from_videos_to_metrics_and_report(finished: Workspace) -> None:
    for name in RESULTS:
        assert (finished.folder / "results" / name).stat().st_size > 0
    metrics = json.loads((finished.folder / "results/metrics.json").read_text())
    assert metrics["labelled_test_videos"] == 6
    for model in ("source_only", "adapted"):
        assert 0 <= metrics[model]["accuracy"] <= 1
        assert set(metrics[model]["seeds"]) == {"0", "1"}


def test_a_second_repro_does_nothing(finished: Workspace) -> None:
    assert stages_run(finished.run("dvc", "repro")) == []


def test_another_lambda_runs_only_what_depends_on_it(finished: Workspace) -> None:
    printed = finished.run("dvc", "exp", "run", "-S", "adapt.lambda1=0.5")
    assert stages_run(printed) == OF_A_TASK


def test_swapped_domains_reuse_the_features_of_both(finished: Workspace) -> None:
    swap = ("-S", "task.source=street", "-S", "task.target=studio")
    printed = finished.run("dvc", "exp", "run", *swap)
    assert stages_run(printed) == ["pretrain", *OF_A_TASK]
    finished.run("git", "checkout", "-q", ".")
    finished.run("dvc", "checkout")


def test_a_misspelt_parameter_is_one_clear_line(finished: Workspace) -> None:
    text = (finished.folder / "params.yaml").read_text()
    (finished.folder / "params.yaml").write_text(text.replace("lambda1:", "lamda1:"))
    printed = finished.run("dvc", "repro", check=False)
    (finished.folder / "params.yaml").write_text(text)
    assert "error: params.yaml: adapt.lamda1: unknown key; did you mean 'lambda1'?" in printed
    assert "Traceback" not in printed


def test_three_new_videos_cost_three(finished: Workspace, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished.folder, project, symlinks=True)
    workspace = Workspace(project)
    shutil.copytree(project / "data/raw/street", project / "data/raw/mine")
    newcomers = tmp_path / "newcomers"
    newcomers.mkdir()
    rows = (project / "data/raw/mine/videos.csv").read_text().splitlines()
    kept, added = rows[:-3], rows[-3:]
    for row in added:
        name = row.split(",")[0]
        shutil.move(project / "data/raw/mine" / name, newcomers / Path(name).name)
    csv = project / "data/raw/mine/videos.csv"
    csv.unlink()
    csv.write_text("\n".join(kept) + "\n")
    workspace.set_params(domains={"mine": {"dataset": "folder"}}, task={"target": "mine"})
    first = videos_to_do(workspace.run("dvc", "repro", "features@mine"))
    assert first == {"decode mine": 15, "flow mine": 15, "features mine": 15}
    for row in added:
        name = row.split(",")[0]
        shutil.move(newcomers / Path(name).name, project / "data/raw/mine" / name)
    csv.write_text("\n".join(rows) + "\n")
    second = videos_to_do(workspace.run("dvc", "repro", "features@mine"))
    assert second == {"decode mine": 3, "flow mine": 3, "features mine": 3}
    grown = hashes(project / "data/features/mine")
    workspace.run("python", "-m", "pipeline.staging", "--clear")
    workspace.run("dvc", "repro", "--force", "--single-item", "decode@mine")
    assert hashes(project / "data/features/mine") == grown


def test_adaptation_needs_nothing_of_the_source_but_its_model(
    finished: Workspace, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished.folder, project, symlinks=True)
    workspace = Workspace(project)
    before = hashes(project / "results") | hashes(project / "models/adapted")
    for folder in ("raw", "frames", "flow", "features", "index"):
        shutil.rmtree(project / "data" / folder / "studio")
    for folder in (".staging", ".dvc/cache", "models/adapted", "results"):
        shutil.rmtree(project / folder)
    workspace.run("dvc", "repro", "--allow-missing", "--downstream", "--force", "adapt")
    assert hashes(project / "results") | hashes(project / "models/adapted") == before


Victims = Callable[[subprocess.Popen[bytes]], list[int]]


def everything(dvc: subprocess.Popen[bytes]) -> list[int]:
    return [dvc.pid, *children(dvc.pid)]


def only_dvc(dvc: subprocess.Popen[bytes]) -> list[int]:
    return [dvc.pid]


def only_the_stage(dvc: subprocess.Popen[bytes]) -> list[int]:
    return [pid for pid in children(dvc.pid) if b"pipeline.stages" in command_line(pid)][:1]


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in path.read_text().split()] if path.exists() else []
    return found + [grandchild for child in found for grandchild in children(child)]


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def entries(workspace: Workspace, stage: str) -> int:
    return len(list((workspace.folder / ".staging" / stage / "street").glob("[0-9a-f]*")))


def killed_in(workspace: Workspace, stage: str, victims: Victims) -> int:
    """Kills a `dvc repro` when a stage has finished some videos; returns how many it had."""
    with subprocess.Popen(
        ["dvc", "repro", f"{stage}@street"],
        cwd=workspace.folder,
        env=workspace.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as dvc:
        while entries(workspace, stage) < 3:
            assert dvc.poll() is None, "the stage ended before it could be killed"
            time.sleep(0.005)
        finished = entries(workspace, stage)
        for pid in victims(dvc):
            os.kill(pid, signal.SIGKILL)
    return finished


@pytest.mark.parametrize(
    ("stage", "victims"),
    [("decode", only_dvc), ("flow", everything), ("features", only_the_stage)],
)
def test_a_kill_loses_only_the_videos_in_work(
    finished: Workspace, tmp_path: Path, stage: str, victims: Victims
) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished.folder, project, symlinks=True)
    workspace = Workspace(project)
    published = project / "data" / ("frames" if stage == "decode" else stage) / "street"
    undisturbed = hashes(published)
    shutil.rmtree(project / ".staging" / stage)
    workspace.run("dvc", "config", "--local", "cache.dir", str(tmp_path / "cache"))
    (project / "dvc.lock").unlink()
    done = killed_in(workspace, stage, victims)
    printed = workspace.run("dvc", "repro", f"{stage}@street")
    assert videos_to_do(printed)[f"{stage} street"] <= 18 - done
    assert hashes(published) == undisturbed
