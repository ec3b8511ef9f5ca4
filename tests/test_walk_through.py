"""docs/methods.md, "Adding a method": its steps, taken to the letter in a copy of the project."""

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import small_project

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
STEP = re.compile(r"^## \d+\. [^`\n]*(?:`([^`\n]+)`)?\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = "self_training"


@dataclass(frozen=True)
class Step:
    """A step of the page: the file that it is about, and what is to be put there."""

    file: str
    blocks: tuple[tuple[str, str], ...]
    """Language and text of each."""


STEPS = [Step(file, tuple(BLOCK.findall(text))) for file, text in STEP.findall(PAGE)]
COMMANDS = [text.splitlines() for kind, text in STEPS[-1].blocks if kind == "sh"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the steps have been taken."""
    folder = tmp_path_factory.mktemp("walk") / "project"
    folder.mkdir()
    for part in ("pipeline", "tests", "benchmarks"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("*.pyc", "cells"))
    for part in ("pyproject.toml", "params.yaml"):
        shutil.copy(ROOT / part, folder)
    for step in STEPS[:-1]:
        take(step, folder)
    return folder


def take(step: Step, folder: Path) -> None:
    path = folder / step.file
    for kind, text in step.blocks:
        if kind == "diff":
            add_lines(path, text)
        else:
            assert not path.exists()
            path.write_text(text, encoding="utf-8")


def add_lines(path: Path, change: str) -> None:
    """Adds the lines with a + between the others, which stand in the file once."""
    lines = change.splitlines(keepends=True)
    assert {line[0] for line in lines} == {"+", " "}
    before = "".join(line[1:] for line in lines if line[0] == " ")
    text = path.read_text(encoding="utf-8")
    assert f"\n{text}".count(f"\n{before}") == 1, f"{path.name} holds this not once:\n{before}"
    path.write_text(text.replace(before, "".join(line[1:] for line in lines)), encoding="utf-8")


def run(command: list[str], folder: Path, project: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={"PYTHONPATH": str(project), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_page_has_six_steps_that_add_to_five_files() -> None:
    assert [step.file for step in STEPS] == [
        f"pipeline/methods/{NAME}.py",
        "pipeline/methods/__init__.py",
        "pipeline/params.py",
        "pipeline/templates/glossary.yaml",
        "benchmarks/accuracy.yaml",
        "",
    ]
    assert all(step.blocks for step in STEPS)


def test_the_checks_of_the_page_pass(project: Path) -> None:
    tests, style = (shlex.split(line) for line in COMMANDS[0])
    assert tests[0] == "pytest"
    assert tests[-1] == NAME
    told = run([*tests, "-v", "-p", "no:cacheprovider"], project, project)
    assert re.search(r"\b6 passed", told)
    run(style, project, project)
    run(["ruff", "format", "--check", STEPS[0].file], project, project)


def test_the_method_is_listed_and_its_stage_runs(project: Path, tmp_path: Path) -> None:
    assert COMMANDS[1] == [f"dvc exp run -S adapt.method={NAME}"]
    assert f"{NAME} " in run(["pipeline.methods"], tmp_path, project)
    small_project.write(tmp_path)
    small_project.set_method(tmp_path, NAME)
    run(["pipeline.stages.adapt"], tmp_path, project)
    header = (tmp_path / "models/adapted/training.csv").read_text().splitlines()[0]
    assert "pseudo_label_loss" in header.split(",")


def test_a_step_that_no_longer_fits_its_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one\ntwo\n")
    add_lines(path, " one\n+more\n two\n")
    assert path.read_text() == "one\nmore\ntwo\n"
    with pytest.raises(AssertionError, match="holds this not once"):
        add_lines(path, " one\n+more\n two\n")
