"""SIGKILL of commands that write what was asked for: it is there whole, or not at all."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import adapted_model
import films
import pytest
from faults.kills import killed_when
from faults.project import hashes
from faults.trained import Trained, new
from workspace import ROOT, Workspace

SEED = 22
KILLS = 6  # of a command, every second one while it writes


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    trained = new(tmp_path_factory.mktemp("trained") / "project")
    trained.workspace.run("dvc", "repro", "pretrain")
    return trained


@pytest.fixture
def labelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A folder with a model and some videos."""
    monkeypatch.chdir(tmp_path)
    adapted_model.write()
    (tmp_path / "pipeline").symlink_to(ROOT / "pipeline")
    (tmp_path / "films").mkdir()
    for number in range(4):
        films.write(tmp_path / f"films/{number}.mp4", 12)
    return Workspace(tmp_path)


@pytest.mark.parametrize(
    "command", [("pipeline.handover", "export"), ("pipeline.feature_export", "yard")]
)
def test_a_folder_is_whole_or_not_there(command: tuple[str, ...], project: Trained) -> None:
    folder = project.workspace.folder
    writes = (folder / ".out.part").exists
    killed_time_and_again(project.workspace, ("python", "-m", *command, "out"), ["out"], writes)
    assert not list(folder.glob(".out*"))


def test_what_is_said_of_videos_is_whole_or_not_there(labelling: Workspace) -> None:
    out = ["said.csv", "said.html"]
    command = ("python", "-m", "pipeline.predict", "films", "--csv", out[0], "--html", out[1])
    killed_time_and_again(
        labelling, command, out, lambda: any(labelling.folder.glob(".said.*.part"))
    )


def killed_time_and_again(
    workspace: Workspace, command: tuple[str, ...], names: list[str], writes: Callable[[], bool]
) -> None:
    """Kills a command at random moments; what it writes is as of an undisturbed run, or absent."""
    workspace.run(*command)
    undisturbed = {name: taken_away(workspace.folder / name) for name in names}
    drawn = random.Random(SEED)

    def sometime() -> bool:  # is asked every 2 ms
        return drawn.random() < 0.001

    for number in range(KILLS):
        moment = writes if number % 2 else sometime
        what = killed_when(workspace, moment, drawn, *command)
        there = {name: taken_away(workspace.folder / name) for name in names}
        print(f"{command[2]}, kill {number + 1}: {what}; {sum(map(bool, there.values()))} there")
        for name, found in there.items():
            assert found in ({}, undisturbed[name])
    workspace.run(*command)
    assert {name: taken_away(workspace.folder / name) for name in names} == undisturbed


def taken_away(path: Path) -> dict[str, str]:
    """The hashes of a file or of a folder's files, which are removed."""
    if path.is_dir():
        found = hashes(path)
        shutil.rmtree(path)
        return found
    if not path.exists():
        return {}
    aside = path.with_name("aside")
    aside.mkdir()
    path.rename(aside / path.name)
    return taken_away(aside)
