from typing import Any
from xml.etree import ElementTree

from pipeline import compare, comparison
from pipeline.comparison import Shown


def row(name: str, accuracy: float | None, rev: str = "abc", **params: Any) -> dict[str, Any]:
    """A row as `dvc.api.exp_show` gives it: numbers as float, empty texts for what is not there."""
    told: dict[str, Any] = {"task.source": "lab", "task.target": "yard", "adapt.method": "mtran"}
    told |= {"adapt.lambda1": 1.0, "evaluate.embedding": 500.0, "tasks.0.name": "demo"}
    scores: dict[str, Any] = {"adapted.label_free.mean_entropy": 0.25}
    if accuracy is not None:
        scores |= {"source_only.accuracy": 0.5, "adapted.accuracy": accuracy}
        scores |= {"adapted.accuracy_low": accuracy - 0.1, "adapted.accuracy_high": accuracy + 0.1}
        scores |= {"adapted.accuracy_sd": 0.01}
    changed = {key.replace("__", "."): value for key, value in params.items()}
    return {"Experiment": name, "rev": rev, **scores, **told, **changed}


def test_experiments_stand_by_task_and_the_most_accurate_first() -> None:
    rows = [
        row("worse", 0.6),
        row("better", 0.8, adapt__lambda1=3.0),
        row("other", 0.9, task__target="zoo"),
        row("unlabelled", None, adapt__lambda1=2.0),
        {"Experiment": "empty", "rev": "def"},
    ]
    found = compare.experiments(rows)
    assert [one.name for one in found] == ["better", "worse", "unlabelled", "other"]
    assert found[0].task == "lab -> yard"


def test_the_workspace_is_left_out_where_it_equals_an_experiment() -> None:
    same, own = row("", 0.6, rev="workspace"), row("", 0.7, rev="workspace")
    assert [one.name for one in compare.experiments([same, row("kept", 0.6)])] == ["kept"]
    assert [one.name for one in compare.experiments([own, row("kept", 0.6)])] == [
        *("workspace", "kept"),
    ]


def test_what_an_experiment_changed_is_what_most_have_otherwise() -> None:
    rows = [row("a", 0.6), row("b", 0.5), row("c", 0.4, adapt__lambda1=3.0, evaluate__embedding=1)]
    assert compare.changes(compare.experiments(rows)) == ["", "", "lambda1 3.0"]


def test_the_table_and_the_picture_tell_the_same() -> None:
    table = compare.table(compare.experiments([row("a", 0.75), row("b", None, seeds="[0]")]))
    printed = compare.lines(table)
    assert printed[0].split() == [
        *("experiment", "task", "method", "changed", "source_only", "adapted", "sd"),
    ]
    assert "a" in printed[1]
    assert "50.0%" in printed[1]
    assert "75.0%" in printed[1]
    assert "%" not in printed[2]
    shown = [Shown.of(line) for line in table if line["adapted"] is not None]
    assert shown == [Shown("lab -> yard, mtran", 0.5, 0.75, 0.65, 0.85)]
    root = ElementTree.fromstring(comparison.draw("comparison", shown))
    assert root.get("aria-label") == "lab -> yard, mtran: 50.0% before, 75.0% after"


def test_a_picture_has_room_for_what_was_changed() -> None:
    changed: dict[str, Any] = {"adapt__lambda1": 3.0, "clips__segments": 7, "flow__bound": 15.0}
    rows = [row("a", 0.7), row("b", 0.7, adapt__lambda1=2.0), row("c", 0.6, **changed)]
    label = Shown.of(compare.table(compare.experiments(rows))[-1]).label
    assert label.startswith("lab -> yard, mtran, l")
    assert len(label) <= comparison.LONGEST
    assert label.endswith("flow.bound 15.0")
    assert "…" in label
