"""Two organisations: one trains on its videos, the other adapts the model and never sees a byte."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from workspace import Workspace, new_workspace, stages_run

ADAPTED = ["adapt", "evaluate", "retrieval", "report"]
MODEL = "studio_model"


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The source's owner, who tries the adaptation too, so that one can compare."""
    workspace = new_workspace(tmp_path_factory.mktemp("theirs") / "project")
    workspace.run("dvc", "repro")
    workspace.run("python", "-m", "pipeline.handover", "export", "handed")
    return workspace


@pytest.fixture(scope="module")
def ours(theirs: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The target's owner: a project of its own, and the folder that came."""
    folder = tmp_path_factory.mktemp("ours")
    workspace = new_workspace(folder / "project")
    shutil.copytree(theirs.folder / "handed", folder / "mail")
    printed = workspace.run("python", "-m", "pipeline.handover", "receive", "../mail")
    assert f"{MODEL}: {{dataset: received}}" in printed
    assert "now" not in printed
    assert "warning" not in printed
    workspace.set_params(task={"source": MODEL}, domains={MODEL: {"dataset": "received"}})
    workspace.commit()
    return workspace


def test_what_is_handed_over_holds_nothing_of_the_data(theirs: Workspace) -> None:
    videos = (theirs.folder / "data/index/studio/videos.csv").read_text().splitlines()[1:]
    names = [row.split(",")[0] for row in videos]
    assert len(names) == 18
    for path in (theirs.folder / "handed").iterdir():
        content = path.read_bytes()
        for word in (*names, *(Path(name).stem for name in names), str(theirs.folder)):
            assert word.encode() not in content


def test_one_command_adapts_evaluates_and_reports(theirs: Workspace, ours: Workspace) -> None:
    printed = ours.run("dvc", "repro")
    assert stages_run(printed)[-len(ADAPTED) :] == ADAPTED
    assert f"features {MODEL}: none, the domain is a model that was received" in printed
    assert not list(ours.folder.rglob("studio"))
    assert not (ours.folder / ".staging/features" / MODEL).exists()
    metrics = "results/metrics.json"
    assert (ours.folder / metrics).read_bytes() == (theirs.folder / metrics).read_bytes()
    weights = {
        name: value
        for name, value in hashes(ours.folder / "models/adapted").items()
        if name.endswith("s")
    }
    assert weights.items() <= hashes(theirs.folder / "models/adapted").items()
    assert len(weights) == 2
    assert "studio" in (ours.folder / "results/report.html").read_text()


def test_a_second_repro_does_nothing(ours: Workspace) -> None:
    assert stages_run(ours.run("dvc", "repro")) == []


def test_an_experiment_runs_what_depends_on_it(ours: Workspace) -> None:
    ours.commit()
    printed = ours.run("dvc", "exp", "run", "-S", "adapt.lambda1=3")
    assert stages_run(printed) == ADAPTED
    assert json.loads((ours.folder / "models/adapted/card.json").read_text())["training"]["adapt"][
        "lambda1"
    ] == pytest.approx(3)
    ours.run("dvc", "exp", "run", "-S", "adapt.lambda1=1")


def test_a_colleague_has_all_of_it_by_git_and_dvc(ours: Workspace) -> None:
    folder = ours.folder.parent
    ours.run("dvc", "remote", "add", "--default", "team", str(folder / "remote"))
    ours.run("dvc", "push")
    ours.commit()
    ours.run("git", "clone", "-q", str(ours.folder), str(folder / "colleague"))
    colleague = Workspace(folder / "colleague")
    colleague.run("dvc", "pull", "--allow-missing")
    printed = colleague.run("dvc", "exp", "run", "--allow-missing", "-S", "adapt.method=shot")
    assert stages_run(printed) == ADAPTED
    assert hashes(colleague.folder / "models/source") == hashes(ours.folder / "models/source")


def test_a_model_of_other_features_is_refused_with_the_reason(
    theirs: Workspace, ours: Workspace
) -> None:
    ours.set_params(decode={"size": 64}, flow={"bound": 10})
    printed = ours.run("dvc", "repro", check=False)
    assert "frames.decode.size: the model expects 48, data/features/street has 64" in printed
    assert "flow.bound: the model expects 20.0, data/features/street has 10.0" in printed
    assert "Traceback" not in printed
    told = ours.run("python", "-m", "pipeline.handover", "receive", "../mail")
    assert "  decode.size: 48  # now 64" in told
    assert "  flow.bound: 20.0  # now 10.0" in told
