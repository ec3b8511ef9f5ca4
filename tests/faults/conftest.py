"""Projects for the faults: made and run once, copied for each test."""

from pathlib import Path

import pytest
from faults.project import new_project
from workspace import Workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A project after its first `dvc repro features@yard`."""
    workspace = new_project(tmp_path_factory.mktemp("finished") / "project")
    workspace.run("dvc", "repro", "features@yard")
    workspace.commit()
    return workspace


@pytest.fixture
def project(finished: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished project, to do anything to; its links into DVC's cache are kept."""
    folder = tmp_path / "project"
    finished.run("cp", "-a", str(finished.folder), str(folder))
    copy = Workspace(folder)
    copy.run("python", "-m", "pipeline.stages.index", "yard")  # these are other files to it
    return copy
