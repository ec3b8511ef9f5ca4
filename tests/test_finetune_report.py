"""The page of stage `finetune`."""

import json
import random
from pathlib import Path
from xml.etree import ElementTree

import made_up_finetuned
import pytest
import torch
from harmless_page import Page, require_harmless
from made_up_results import HOSTILE

from pipeline import finetune_page
from pipeline.errors import UserError
from pipeline.evaluation import Predictions
from pipeline.finetune import measured
from pipeline.stages import finetune_report

NAMES = ["run", "wave", "jump"]
FILES = (
    "models/finetuned/card.json",
    "models/finetuned/training.csv",
    "results/finetune.json",
    "results/finetune_predictions.csv",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page() -> str:
    finetune_report.main()
    text = Path("results/finetune.html").read_text()
    require_harmless(text)
    return Page(text).text


def test_the_accuracy_is_that_of_the_last_evaluations_and_the_rest_of_the_last_epoch() -> None:
    logits = torch.tensor([[2.0, 0], [0, 2], [2, 0], [2, 0]])
    labels = torch.tensor([0, 1, 1, 0])  # three of four are right
    logs = {0: [{"epoch": 1.0}, {"epoch": 2.0, "accuracy": 0.25}, {"epoch": 3.0, "accuracy": 0.75}]}
    found = measured.numbers(logs, Predictions({0: logits}), labels, ["run", "wave"])
    assert found["accuracy"] == 0.5
    assert found["seeds"] == {0: 0.5}
    assert found["accuracy_sd"] is None
    assert found["accuracy_low"] == pytest.approx(0.150, abs=1e-3)  # Wilson, 2 of 4
    assert found["per_class"] == {"run": 1, "wave": 0.5}
    assert found["mean_class_accuracy"] == 0.75


def test_a_prediction_is_told_with_its_class_and_how_surely() -> None:
    said = Predictions({3: torch.tensor([[1.0, 1], [1, 3], [3, 1]]).log()})
    keys, labels = ["a.mp4", "b.mp4", "c.mp4"], torch.tensor([1, 1, 0])
    rows = measured.rows(said, keys, labels, ["run", "wave"])
    assert rows == [
        {"seed": 3, "key": "a.mp4", "actual": "wave", "predicted": "run", "confidence": 0.5},
        {"seed": 3, "key": "b.mp4", "actual": "wave", "predicted": "wave", "confidence": 0.75},
        {"seed": 3, "key": "c.mp4", "actual": "run", "predicted": "run", "confidence": 0.75},
    ]


def test_the_page_has_the_numbers_the_curves_and_the_confusion(folder: Path) -> None:
    made_up_finetuned.write(folder, NAMES)
    text = page()
    metrics = json.loads((folder / "results/finetune.json").read_text())
    assert f"{metrics['accuracy']:.1%}" in text
    assert f"{metrics['accuracy_low']:.1%} to {metrics['accuracy_high']:.1%}" in text
    figures = sorted(path.name for path in (folder / "results/finetune_figures").iterdir())
    curves = ["curve_accuracy.svg", "curve_cross_entropy.svg", "curve_modality_source.svg"]
    assert figures == ["confusion.svg", *curves]


def test_without_labels_it_says_that_no_accuracy_is_known(folder: Path) -> None:
    made_up_finetuned.write(folder, NAMES, labelled=False)
    text = page()
    assert "no accuracy can be known" in text
    assert "Confusion" not in text
    assert not (folder / "results/finetune_figures/confusion.svg").exists()


def test_one_epoch_and_one_seed_draw_no_curve(folder: Path) -> None:
    made_up_finetuned.write(folder, NAMES, seeds=1, epochs=1)
    text = page()
    assert "one seed, so no spread is known" in text
    assert "There is one epoch" in text


def test_a_bound_is_not_taken_for_a_result(folder: Path) -> None:
    made_up_finetuned.write(folder, NAMES)
    assert "a bound, not a result" not in page()
    path = folder / FILES[0]
    path.write_text(path.read_text().replace("cross_modal_contrastive", "target_supervised"))
    assert "a bound, not a result" in page()


def test_hostile_names_stay_text(folder: Path) -> None:
    made_up_finetuned.write(folder, HOSTILE)
    text = page()
    assert all(name in text for name in HOSTILE)


def test_it_is_the_same_every_time(folder: Path) -> None:
    made_up_finetuned.write(folder, NAMES)
    page()
    first = (folder / "results/finetune.html").read_bytes()
    page()
    assert (folder / "results/finetune.html").read_bytes() == first


@pytest.mark.parametrize("name", FILES)
def test_what_is_missing_is_named(name: str, folder: Path) -> None:
    made_up_finetuned.write(folder, NAMES)
    (folder / name).unlink()
    with pytest.raises(UserError, match=name):
        page()


def test_files_of_several_runs_are_refused(folder: Path) -> None:
    made_up_finetuned.write(folder, NAMES)
    path = folder / "results/finetune_predictions.csv"
    whole = path.read_text()
    path.write_text("\n".join(whole.splitlines()[:-1]) + "\n")
    with pytest.raises(UserError, match=r"15 rows.*16 rows; the files are of several runs"):
        page()
    path.write_text(whole.replace(",jump,", ",swim,"))
    with pytest.raises(UserError, match="class 'swim'"):
        page()


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_end_in_a_page_or_an_error(name: str, folder: Path) -> None:
    made_up_finetuned.write(folder, NAMES, videos=4, epochs=2)
    path, drawn, refused = folder / name, random.Random(name), 0
    whole = path.read_bytes()
    for _ in range(40):
        start = drawn.randrange(len(whole))
        torn = bytes(
            drawn.choice(b'0123456789-.,e"{}[]<>\n\xff') for _ in range(drawn.randint(0, 4))
        )
        path.write_bytes(whole[:start] + torn + whole[start + drawn.randint(0, 9) :])
        try:
            found = finetune_page.read()
        except UserError:
            refused += 1
            continue
        figures = finetune_page.figures(found)
        assert all(ElementTree.fromstring(svg) for svg in figures.values() if svg)
        require_harmless(finetune_page.page(found, figures))
    assert refused > 0
