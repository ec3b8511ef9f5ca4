"""The whole pipeline as a user runs it: `dvc repro`, `dvc exp run`, faults in between."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from workspace import ROOT, Workspace, new_workspace, stages_run, videos_to_do

RESULTS = ("metrics.json", "predictions.csv", "confusion.csv", "embedding.csv", "report.html")
PER_DOMAIN = ("index", "decode", "flow", "features", "pictures")
OF_A_TASK = ["adapt", "evaluate", "retrieval", "report"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace after its first `dvc repro`, committed; one for all processes of a test run."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    workspace = Workspace(shared / "finished")
    with FileLock(shared / "finished.lock"):
        if not (shared / "finished.complete").exists():
            shutil.rmtree(workspace.folder, ignore_errors=True)
            new_workspace(workspace.folder)
            workspace.run("dvc", "repro")
            workspace.commit()
            (shared / "finished.complete").touch()
    return workspace


@pytest.fixture
def workspace(finished: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished workspace, to do anything to."""
    return Workspace(shutil.copytree(finished.folder, tmp_path / "project", symlinks=True))


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


def test_the_notebook_runs_from_top_to_bottom_and_keeps_no_output(finished: Workspace) -> None:
    """Its code alone, without Jupyter, which would be more packages than all others together."""
    cells = json.loads((ROOT / "docs/demo.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
    printed = finished.run("env", "MPLBACKEND=agg", "python", "-c", "\n\n".join(code))
    assert "studio -> street, method mtran, seeds (0, 1)" in printed
    assert "6 test videos, T = 2, d = 256" in printed
    assert "it is: " in printed


def test_a_second_repro_does_nothing(workspace: Workspace) -> None:
    assert stages_run(workspace.run("dvc", "repro")) == []


def test_another_lambda_runs_only_what_depends_on_it(workspace: Workspace) -> None:
    printed = workspace.run("dvc", "exp", "run", "-S", "adapt.lambda1=0.5")
    assert stages_run(printed) == OF_A_TASK


def test_swapped_domains_reuse_the_features_of_both(workspace: Workspace) -> None:
    swap = ("-S", "task.source=street", "-S", "task.target=studio")
    assert stages_run(workspace.run("dvc", "exp", "run", *swap, "pretrain")) == ["pretrain"]


def test_a_misspelt_parameter_is_one_clear_line(workspace: Workspace) -> None:
    path = workspace.folder / "params.yaml"
    path.write_text(path.read_text().replace("lambda1:", "lamda1:"))
    printed = workspace.run("dvc", "repro", check=False)
    assert "error: params.yaml: adapt.lamda1: unknown key; did you mean 'lambda1'?\n" in printed
    assert printed.count("params.yaml") == 1
    assert "Traceback" not in printed


def test_three_new_videos_cost_three(workspace: Workspace) -> None:
    mine, apart = workspace.folder / "data/raw/mine", workspace.folder / "apart"
    shutil.copytree(workspace.folder / "data/raw/street", mine)
    listing = mine / "videos.csv"
    rows = listing.read_text().splitlines()
    newcomers = [row.split(",")[0] for row in rows[-3:]]
    move(newcomers, mine, apart)
    rewrite(listing, rows[:-3])
    workspace.set_params(domains={"mine": {"dataset": "folder"}}, task={"target": "mine"})
    first = videos_to_do(workspace.run("dvc", "repro", "features@mine"))
    assert first == {"decode mine": 15, "flow mine": 15, "features mine": 15}

    move(newcomers, apart, mine)
    rewrite(listing, rows)
    second = videos_to_do(workspace.run("dvc", "repro", "features@mine"))
    assert second == {"decode mine": 3, "flow mine": 3, "features mine": 3}

    grown = hashes(workspace.folder / "data/features/mine")
    workspace.run("python", "-m", "pipeline.staging", "--clear")
    anew = ("decode@mine", "flow@mine", "features@mine")
    third = videos_to_do(workspace.run("dvc", "repro", "--force", "--single-item", *anew))
    assert third == {"decode mine": 18, "flow mine": 18, "features mine": 18}
    assert hashes(workspace.folder / "data/features/mine") == grown


def move(names: list[str], origin: Path, goal: Path) -> None:
    for name in names:
        (goal / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(origin / name, goal / name)


def rewrite(path: Path, lines: list[str]) -> None:
    """Replaces a file that may be a read-only link into DVC's cache."""
    path.unlink()
    path.write_text("\n".join(lines) + "\n")


def test_a_changed_parameter_meets_no_old_row(workspace: Workspace) -> None:
    before = hashes(workspace.folder / "data/flow/street")
    workspace.set_params(flow={"bound": 10})
    printed = workspace.run("dvc", "repro", "flow@street")
    assert videos_to_do(printed) == {"flow street": 18}
    assert hashes(workspace.folder / "data/flow/street") != before


def test_features_straight_from_the_videos_are_the_same_to_the_byte(workspace: Workspace) -> None:
    features = workspace.folder / "data/features"
    before = hashes(features)
    workspace.set_params(features={"stream": True})
    streamed = workspace.run("dvc", "repro", "features@street")
    assert videos_to_do(streamed) == {"features street": 0}
    assert hashes(features) == before
    for name in ("frames", "flow"):
        (shard,) = (workspace.folder / "data" / name / "street").glob("*.zip")
        assert zipfile.ZipFile(shard).namelist() == ["shard.json"]

    cleared = "from pipeline.staging import Staging; Staging('features', 'street').clear()"
    workspace.run("python", "-c", cleared)
    anew = workspace.run("dvc", "repro", "--force", "--single-item", "features@street")
    assert videos_to_do(anew) == {"features street": 18}
    assert hashes(features) == before

    workspace.set_params(features={"stream": False})
    back = videos_to_do(workspace.run("dvc", "repro", "features@street"))
    assert set(back.values()) <= {0}
    assert hashes(features) == before


def test_a_bad_video_is_told_by_features_where_they_come_straight_from_the_videos(
    workspace: Workspace,
) -> None:
    mine = workspace.folder / "data/raw/mine"
    shutil.copytree(workspace.folder / "data/raw/street", mine)
    name = (mine / "videos.csv").read_text().splitlines()[1].split(",")[0]
    (mine / name).unlink()
    (mine / name).write_bytes(b"no video")
    workspace.set_params(
        domains={"mine": {"dataset": "folder"}}, task={"target": "mine"}, features={"stream": True}
    )
    printed = workspace.run("dvc", "repro", "features@mine", check=False)
    assert "features mine: 1 of 18 videos cannot be used; the other 17 are done" in printed
    assert name in printed
    workspace.set_params(domains={"mine": {"dataset": "folder", "skip": {name: "no video"}}})
    printed = workspace.run("dvc", "repro", "features@mine")
    assert videos_to_do(printed) == {"features mine": 0}


def test_adaptation_needs_nothing_of_the_source_but_its_model(workspace: Workspace) -> None:
    def made() -> dict[str, str]:
        """All but what shows the source beside the target."""
        found = hashes(project / "results") | hashes(project / "models/adapted")
        both = ("report.html", "retrieval.", "domains.", "figures/domains_", "figures/embedding_")
        return {name: content for name, content in found.items() if not name.startswith(both)}

    project = workspace.folder
    before = made()
    assert {"metrics.json", "predictions.csv", "card.json"} <= before.keys()
    shutil.rmtree(project / "data/raw/studio")
    for folder in ("frames", "flow", "features", "index", "pictures"):
        shutil.rmtree(project / "data" / folder)
    for folder in (".staging", ".dvc/cache", "models/adapted", "results"):
        shutil.rmtree(project / folder)
    workspace.run("dvc", "repro", "features@street", "pictures@street")
    workspace.run("dvc", "repro", "--single-item", "--force", "adapt", "evaluate")
    told = workspace.run("python", "-m", "pipeline.stages.retrieval")
    assert "retrieval: none, of studio only the model is here" in told
    workspace.run("python", "-m", "pipeline.stages.report")
    assert not list((project / "data/features").glob("studio*"))
    assert made() == before
    assert "Nearest source videos" not in (project / "results/report.html").read_text()


def test_features_that_a_user_has_lead_to_metrics_too(tmp_path: Path) -> None:
    domains = {name: {"dataset": "imported"} for name in ("lab", "yard")}
    workspace = new_workspace(
        tmp_path / "project",
        seeds=[0],
        task={"source": "lab", "target": "yard"},
        domains=domains,
        features={"backbone": "imported"},
    )
    for number, domain in enumerate(domains):
        save_features(workspace.folder / "data/raw" / domain / "features.npz", seed=number)
    first = stages_run(workspace.run("dvc", "repro"))
    per_domain = [f"{stage}@{domain}" for stage in PER_DOMAIN for domain in domains]
    assert sorted(first) == sorted([*per_domain, "pretrain", *OF_A_TASK])
    metrics = json.loads((workspace.folder / "results/metrics.json").read_text())
    assert metrics["labelled_test_videos"] == 6
    assert stages_run(workspace.run("dvc", "repro")) == []

    before = hashes(workspace.folder / "data/features")
    workspace.run("dvc", "repro", "--force", "--single-item", "features@lab", "features@yard")
    assert hashes(workspace.folder / "data/features") == before


def save_features(path: Path, seed: int) -> None:
    """Twelve videos of three classes, half of them for training; 16 features."""
    labels = np.arange(12) % 3
    streams = np.random.default_rng(seed).normal(size=(2, 12, 5, 16)) + labels[:, None, None]
    path.parent.mkdir()
    np.savez(
        path,
        key=[f"{number}.mp4" for number in range(12)],
        rgb=streams[0],
        flow=streams[1],
        label=np.array(["jump", "run", "walk"])[labels],
        split=["train"] * 6 + ["test"] * 6,
        extractor="noise",
    )


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
        ["dvc", "repro", "--single-item", f"{stage}@street"],
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
    workspace: Workspace, tmp_path: Path, stage: str, victims: Victims
) -> None:
    project = workspace.folder
    published = project / "data" / ("frames" if stage == "decode" else stage) / "street"
    undisturbed = hashes(published)
    shutil.rmtree(project / ".staging" / stage)
    workspace.run("dvc", "config", "--local", "cache.dir", str(tmp_path / "cache"))
    (project / "dvc.lock").unlink()
    done = killed_in(workspace, stage, victims)
    printed = workspace.run("dvc", "repro", "--single-item", f"{stage}@street")
    assert videos_to_do(printed)[f"{stage} street"] <= 18 - done
    assert hashes(published) == undisturbed
