"""Experiments beside one another: which count, what they changed, the table, picture and page."""

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from pipeline import compare, comparison, comparison_page, experiments
from pipeline.comparison import Shown

MARGINAL = "adapted.label_free.marginal_entropy"


def row(name: str, accuracy: float | None, rev: str = "abc", **params: Any) -> dict[str, Any]:
    """A row as `dvc.api.exp_show` gives it: numbers as float, empty texts for what is not there."""
    told: dict[str, Any] = {"task.source": "lab", "task.target": "yard", "adapt.method": "mtran"}
    told |= {"adapt.lambda1": 1.0, "evaluate.embedding": 500.0, "tasks.0.name": "demo"}
    scores: dict[str, Any] = {"adapted.label_free.mean_entropy": 0.25, MARGINAL: 1.5}
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
    found = experiments.finished(rows)
    assert [one.name for one in found] == ["better", "worse", "unlabelled", "other"]
    assert found[0].task == "lab -> yard"


def test_the_workspace_is_left_out_where_it_equals_an_experiment() -> None:
    same, own = row("", 0.6, rev="workspace"), row("", 0.7, rev="workspace")
    assert [one.name for one in experiments.finished([same, row("kept", 0.6)])] == ["kept"]
    assert [one.name for one in experiments.finished([own, row("kept", 0.6)])] == [
        *("workspace", "kept"),
    ]


def test_what_an_experiment_changed_is_what_most_have_otherwise() -> None:
    rows = [row("a", 0.6), row("b", 0.5), row("c", 0.4, adapt__lambda1=3.0, evaluate__embedding=1)]
    assert experiments.changes(experiments.finished(rows)) == ["", "", "lambda1 3"]
    rows[2]["flow.bound"] = 15.0  # the others are older than the parameter
    assert experiments.changes(experiments.finished(rows)) == ["", "", "lambda1 3, flow.bound 15"]


def test_an_experiment_that_is_not_done_has_no_results_of_its_own() -> None:
    rows = [row("a", 0.6), row("b", 0.6, adapt__lambda1=3.0), row("c", 0.6, adapt__lambda1=9.0)]
    rows[0]["State"], rows[1]["State"], rows[2]["State"] = "Running", "Failed", "Success"
    assert [one.name for one in experiments.finished(rows)] == ["c"]


def test_the_domains_of_the_task_count_and_no_others() -> None:
    told = {"domains.yard.dataset": "demo", "domains.zoo.dataset": "folder", "demo.seed": 1.0}
    (one,) = experiments.finished([row("a", 0.6) | told])
    assert one.params["target.dataset"] == "demo"
    assert one.params["demo.seed"] == "1"
    assert not [name for name in one.params if "zoo" in name]
    other = row("b", 0.5, task__target="zoo") | told
    assert experiments.changes(experiments.finished([row("a", 0.6) | told, other])) == ["", ""]


def test_the_table_and_the_picture_tell_the_same() -> None:
    table = compare.table(experiments.finished([row("a", 0.75), row("b", None, seeds="[0]")]))
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


class Page(HTMLParser):
    """The texts of a page and the tags in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(rows: list[dict[str, Any]]) -> str:
    found = experiments.finished(rows)
    return comparison_page.page(found, compare.table(found))


def test_the_page_has_the_table_the_picture_and_the_weights() -> None:
    rows = [row(f"e{value}", 0.7, adapt__lambda1=value) for value in (0.5, 2.0, 10.0)]
    page = page_of([*rows, row("<script>x</script>", 0.6, adapt__method="shot")])
    read = Page(page)
    assert page == page_of([*rows, row("<script>x</script>", 0.6, adapt__method="shot")])
    assert "script" not in read.tags
    assert "<script>x</script>" in read.text
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"https?:", page)
    assert read.tags.count("svg") == 2
    assert "60.0% to 80.0%" in read.text
    assert 'aria-label="lambda1 from 0.5 to 10: accuracy 70.0%, 70.0%, 70.0%"' in page
    assert "lambda2: no 3 experiments differ in it alone" in read.text


def test_a_page_without_labels_or_weights_says_so() -> None:
    rows = [row(f"e{value}", None, adapt__lambda2=value) for value in (0.5, 2.0, 10.0)]
    read = Page(page_of(rows))
    assert read.tags.count("svg") == 1
    assert "Source-only" not in read.text
    assert "no accuracy is known" in read.text
    alone = Page(page_of([row("a", 0.7)]))
    assert "dvc exp run --queue -S adapt.lambda1=0.3,1,3" in alone.text


def test_a_picture_has_room_for_what_was_changed() -> None:
    usual: dict[str, Any] = {"adapt__epochs": 30, "clips__segments": 5, "features__backbone": "i3d"}
    other: dict[str, Any] = {
        "adapt__epochs": 50,
        "clips__segments": 7,
        "features__backbone": "i3d_nano",
    }
    rows = [row(name, 0.7, rev=name, flow__bound=20.0, **usual) for name in "ab"]
    rows[1]["seeds"] = "[0, 1, 2, 3]"  # or it would be the same experiment
    rows.append(row("c", 0.6, flow__bound=15.0, **other))
    label = Shown.of(compare.table(experiments.finished(rows))[-1]).label
    assert label.startswith("lab -> yard, mtran, epochs 50")
    assert len(label) <= comparison.LONGEST
    assert label.endswith("flow.bound 15")
    assert "…" in label
