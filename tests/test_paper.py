"""A paper's table from one command, on a small project whose features are made up."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import small_project
import yaml

from benchmarks import paper
from benchmarks.accuracy import cells, features, spec, tables

PUBLISHED = tables.PUBLISHED.resolve()
SPEC: dict[str, Any] = {
    "tasks": [
        {
            "name": "ours",
            "source": small_project.SOURCE,
            "target": small_project.TARGET,
            "published": "ucf_to_hmdb",
            "components": 8,
        }
    ],
    "methods": ["source_only", "shot"],
    "baseline": "source_only",
    "joint": ["source_only_late", "mmd", "ta3n", "target_supervised"],
    "joint_baseline": "source_only_late",
    "seeds": [0, 1],
}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The project as the current folder; the tasks whose features were asked for."""
    small_project.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    changed = yaml.safe_load(Path("params.yaml").read_text())
    changed["pretrain"]["epochs"] = changed["joint"]["epochs"] = 2
    changed["engine"] = {"workers": 1}
    Path("params.yaml").write_text(yaml.safe_dump(changed))
    paper.FOLDER.mkdir(parents=True)
    (paper.FOLDER / "small.yaml").write_text(yaml.safe_dump(SPEC))
    (tables.PUBLISHED).write_text(PUBLISHED.read_text())
    asked: list[str] = []

    def make(tasks: Sequence[spec.Task]) -> None:
        asked.extend(task.name for task in tasks)

    monkeypatch.setattr(features, "make", make)
    monkeypatch.setattr(sys, "argv", ["paper", "small"])
    return asked


def test_one_command_makes_a_papers_table(
    made: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    paper.main()
    assert made == ["ours"]
    out = paper.FOLDER / "tables/small"
    with (out / "accuracy.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert set(rows) == {*SPEC["methods"], *SPEC["joint"], spec.SUPERVISED}
    assert rows["shot"]["published"] == "89.72"
    assert rows["ta3n"]["kind"] == "sees_source"
    assert not any(row["error"] for row in rows.values())
    assert "| shot |" in (out / "accuracy.md").read_text()
    assert "7 cells to do, 0 done before" in capsys.readouterr().out
    first = (out / "accuracy.md").read_bytes()
    paper.main()
    assert "0 cells to do, 7 done before" in capsys.readouterr().out
    assert (out / "accuracy.md").read_bytes() == first


def test_a_cell_that_is_there_is_not_computed_again(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = spec.load(paper.FOLDER / "small.yaml")
    paper.filled(chosen, paper.FOLDER / "tables/small/cells")
    more = chosen.model_copy(update={"methods": (*chosen.methods, "shot_im")})
    computed: list[cells.Cell] = []
    own = cells.Work._computed

    def watched(work: cells.Work, cell: cells.Cell) -> object:
        computed.append(cell)
        return own(work, cell)

    monkeypatch.setattr(cells.Work, "_computed", watched)
    monkeypatch.setattr(cells.engine, "run", lambda work, todo, **_: [work(c) for c in todo] and [])
    paper.filled(more, paper.FOLDER / "tables/small/cells")
    assert [cell.name for cell in computed] == ["shot_im"]
