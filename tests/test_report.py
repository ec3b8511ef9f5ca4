"""The page: says what happened, with and without labels, and stays whole whatever names are."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_results import HOSTILE, made_up, without_the_source, write

from pipeline import figures, relations, report
from pipeline.adaptation_log import AdaptationLog
from pipeline.doubts import changed, close_ups, mistakes, unsure
from pipeline.errors import UserError
from pipeline.evaluation import LAST_EPOCHS, Predictions, over_epochs
from pipeline.glossary import entry, glossary
from pipeline.methods import METHODS, Memory
from pipeline.network import Output
from pipeline.pictures import data_url
from pipeline.results import MODELS, Results
from pipeline.stages import report as stage

ROOT = Path(__file__).parent.parent


class Reader(HTMLParser):
    """Reads a page as a browser would, as far as the tests ask."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.labelled: Counter[str] = Counter()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.labelled[tag] += any(name == "aria-label" and value for name, value in attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def read(results: Results) -> Reader:
    """The whole page."""
    return Reader(report.page(results, figures.figures(results)))


def told(results: Results) -> str:
    """The page's text, with nothing drawn."""
    names = [
        "accuracy",
        "reliability",
        "classes",
        *(f"confusion_{model}" for model in MODELS),
    ]
    return Reader(report.page(results, dict.fromkeys(names, ""))).text


@cache
def plain() -> Reader:
    return read(made_up(["run", "wave"]))


@cache
def unlabelled() -> Reader:
    return read(made_up(["run", "wave"], labelled=False))


@cache
def hostile() -> Reader:
    return read(made_up(HOSTILE))


def adapted(results: Results, **changes: Any) -> Results:
    """The results with other scores of the adapted model."""
    metrics = {**results.metrics, "adapted": {**results.metrics["adapted"], **changes}}
    return replace(results, metrics=metrics)


def test_the_headline_tells_before_after_change_interval_and_spread() -> None:
    text = plain().text
    assert "Source-only 62.5% 95% interval 52.5% to 72.5% sd 1.2 points over 3 seeds" in text
    assert "Adapted 87.5% 95% interval 77.5% to 97.5% sd 1.2 points over 3 seeds" in text
    assert "Change +25.0 points of accuracy; better with 3 of 3 seeds" in text


def test_the_task_the_method_the_backbone_and_the_counts_are_told() -> None:
    text = plain().text
    assert "studio → street" in text
    assert "Method mtran (SHOT with multimodal" in text
    assert "on i3d_nano features; 2 classes, 3 seeds, 8 training videos" in text
    assert "8 test videos, all of them with a label" in text
    assert "lambda1 3.5" in text
    assert "frames.clips.segments 5" in text


def test_the_oracle_is_a_bound_and_never_the_result() -> None:
    assert "Oracle, a bound and not a result 91.2%" in plain().text
    assert "Mean of the last epochs 83.8% another rule of counting" in plain().text


@pytest.mark.parametrize(
    ("low", "said"),
    [(0.7, "The 95% intervals overlap"), (0.73, "The 95% intervals do not overlap")],
)
def test_overlapping_intervals_are_told(low: float, said: str) -> None:
    results = adapted(made_up(["run", "wave"]), accuracy_low=low)
    assert said in told(results)


def test_an_adaptation_that_does_harm_is_called_so() -> None:
    worse = adapted(made_up(["run", "wave"]), accuracy=0.5, seeds=dict.fromkeys("012", 0.5))
    text = told(worse)
    assert "The adaptation did harm here." in text
    assert "Change −12.5 points of accuracy; better with 0 of 3 seeds" in text
    assert "did harm" not in plain().text


def test_one_seed_has_no_spread() -> None:
    text = told(made_up(["run", "wave"], seeds=1))
    assert "one seed, so no spread is known" in text
    assert "1 seed," in text


def test_without_labels_no_accuracy_is_claimed() -> None:
    text = unlabelled().text
    assert "no accuracy can be known" in text
    assert "Oracle" not in text
    assert "Confusion" not in text
    assert "Least certain videos" in text
    assert "coloured by class (of street's videos the predicted one" in text


def test_without_labels_the_shares_of_the_classes_are_drawn() -> None:
    results = made_up(["run", "wave"], labelled=False)
    drawn = figures.figures(results)
    assert "Share of the videos predicted as" in drawn["classes"]
    assert not {"accuracy", "confusion_adapted"} & drawn.keys()
    assert "2 classes" in drawn["embedding_adapted"]


def test_too_few_videos_for_tsne_leave_its_part_out() -> None:
    few = replace(made_up(["run", "wave"], epochs=1), embedding=[], domains=[])
    drawn = figures.figures(few)
    page = report.page(made_up(["run", "wave"]), drawn)
    assert ("id", "embedding") not in Reader(page).attributes
    assert ("id", "embedding") in plain().attributes


def test_a_method_that_takes_no_step_has_no_curves() -> None:
    results = made_up(["run", "wave"], epochs=1)
    assert not [name for name in figures.figures(results) if name.startswith("adapt_")]
    assert "takes no step" in told(results)


def test_losses_and_scores_are_drawn_over_the_epochs_that_have_them() -> None:
    drawn = figures.figures(made_up(["run", "wave"]))
    assert "Pseudo-label loss, epoch 1 to 2: from 1 to 2" in drawn["adapt_pseudo_label_loss"]
    assert "Mean entropy, epoch 0 to 2: from 1 to 3" in drawn["adapt_mean_entropy"]
    assert "pretrain_cross_entropy" in drawn


def test_warnings_are_told_and_many_are_folded() -> None:
    results = made_up(["run", "wave"])
    many = {"1": [f"epoch {k}: class {k} <vanished>" for k in range(7)]}
    results.card["training"]["adapt"]["warnings"] = many
    text = told(results)
    assert "Seed 1, epoch 6: class 6 <vanished>." in text
    assert "2 more" in text
    assert "The training gave no warning." in plain().text


def test_hostile_names_stay_text() -> None:
    tags = set(hostile().tags)
    assert not tags & {"script", "iframe", "link", "object"}
    sources = [value for name, value in hostile().attributes if name == "src"]
    assert sources
    assert all(value.startswith("data:image/jpeg;base64,/9g") for value in sources)
    assert not [name for name, _ in hostile().attributes if name.startswith("on")]
    for name in HOSTILE:
        assert name in hostile().texts


def test_signs_that_turn_the_text_around_are_replaced() -> None:
    reader = read(made_up(["run\u202e", "wave\x07"]))
    assert {"run\ufffd", "wave\ufffd"} <= set(reader.texts)
    assert not [text for text in reader.texts if "\u202e" in text or "\x07" in text]


@pytest.mark.parametrize("reader", [plain, unlabelled, hostile])
def test_every_id_stands_once_and_every_link_leads_to_one(reader: Any) -> None:
    ids = Counter(value for name, value in reader().attributes if name == "id")
    links = {v[1:] for name, v in reader().attributes if name in ("href", "xlink:href")}
    assert max(ids.values()) == 1
    assert links <= ids.keys()


@pytest.mark.parametrize("reader", [plain, unlabelled, hostile])
def test_the_page_asks_for_nothing_from_outside(reader: Any) -> None:
    attributes = reader().attributes
    policy = attributes.index(("http-equiv", "Content-Security-Policy"))
    allowed = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert attributes[policy + 1] == ("content", allowed)
    assert not [name for name, _ in attributes if name in ("srcset", "data", "action")]
    own = ("xmlns", "src")  # all of the latter are data: another test looks
    outside = [(n, v) for n, v in attributes if "//" in v and not n.startswith(own)]
    assert not outside


def test_figures_have_labels_and_tables_scroll() -> None:
    reader = plain()
    assert reader.tags.count("svg") == len(figures.figures(made_up(["run", "wave"])))
    assert reader.labelled["svg"] == reader.tags.count("svg")
    assert reader.attributes.count(("role", "region")) == 5


def test_twelve_classes_and_500_points_stay_below_a_megabyte_and_a_half() -> None:
    results = made_up([f"class {k}" for k in range(12)], videos=500, epochs=51)
    assert len(report.page(results, figures.figures(results)).encode()) < 1_500_000


def test_the_surest_mistakes_come_first_and_a_right_seed_counts_nothing() -> None:
    def row(seed: int, key: str, said: str, confidence: float) -> dict[str, str]:
        cells = {"seed": str(seed), "key": key, "split": "test", "label": "run"}
        source = {"source_only": "run", "source_only_confidence": "0.5"}
        return cells | source | {"adapted": said, "adapted_confidence": str(confidence)}

    rows = [row(0, "once", "wave", 0.9), row(1, "once", "run", 0.99)]
    rows += [row(0, "twice", "wave", 0.5), row(1, "twice", "jump", 0.6)]
    rows += [row(0, "never", "run", 0.9), row(1, "never", "run", 0.9)]
    results = replace(made_up(["run", "wave", "jump"]), predictions=rows)
    twice, once = mistakes(results.test, results.classes)
    assert (twice.key, twice.said, twice.seeds, twice.before) == ("twice", "jump, wave", 2, "run")
    assert twice.confidence == pytest.approx(0.55)
    assert (once.key, once.seeds) == ("once", 1)
    assert once.confidence == pytest.approx(0.45)
    assert [doubt.key for doubt in unsure(results.test)] == ["twice", "never", "once"]


def test_changed_videos_are_told_from_mended_and_broken_ones() -> None:
    def row(seed: int, key: str, before: str, after: str, sure: float) -> dict[str, str]:
        cells = {"seed": str(seed), "key": key, "split": "test", "label": "run"}
        confidences = dict.fromkeys(("source_only_confidence", "adapted_confidence"), str(sure))
        return cells | confidences | {"source_only": before, "adapted": after}

    rows = [row(0, "mended", "wave", "run", 0.6), row(1, "mended", "jump", "run", 0.6)]
    rows += [row(0, "broken", "run", "wave", 0.9), row(1, "broken", "run", "run", 0.9)]
    rows += [row(0, "other", "wave", "jump", 0.3), row(1, "other", "wave", "jump", 0.3)]
    rows += [row(0, "same", "run", "run", 0.9), row(1, "same", "run", "run", 0.9)]
    mended, broken, other = changed(rows)  # 0.6, 0.45 and 0.3 over the seeds
    assert mended[2:] == ("wave, jump", "run", 2, 2, 0)
    assert broken[2:] == ("run", "wave", 1, 0, 1)
    assert other[2:] == ("wave", "jump", 2, 0, 0)
    assert close_ups(rows, ["run", "wave", "jump"]) == ["mended", "broken", "other"]


def test_where_nothing_changed_mistakes_or_unsure_videos_are_looked_at() -> None:
    results = made_up(["run", "wave"])
    still = [{**row, "source_only": row["adapted"]} for row in results.predictions]
    test = [row for row in still if row["split"] == "test"]
    assert not changed(test)
    assert close_ups(test, results.classes) == ["run/0.mp4"]  # the one mistake
    blank = [{**row, "label": ""} for row in test]
    assert len(close_ups(blank, results.classes)) == 6
    assert "None: adaptation changed no prediction" in told(replace(results, predictions=still))


def test_what_was_found_of_the_source_is_shown_with_its_share() -> None:
    text = plain().text
    assert "41.2% shows their class before and 64.0% after, mean over the seeds" in text
    found = [value for name, value in plain().attributes if (name, value) == ("class", "same")]
    assert found


def test_without_the_source_its_sections_are_left_out() -> None:
    reader = read(without_the_source(made_up(["run", "wave"])))
    assert ("id", "retrieval") not in reader.attributes
    assert "img" not in reader.tags
    assert "Fused features of the test videos of street by t-SNE" in reader.text
    assert ("id", "embedding") in reader.attributes


def test_relations_of_a_single_clip_are_not_drawn() -> None:
    results = made_up(["run", "wave"])
    assert "relations_1" in figures.figures(results)
    single = {model: values[..., :1, :1] for model, values in results.relations.items()}
    drawn = figures.figures(replace(results, relations=single))
    assert not [name for name in drawn if name.startswith("relations")]


def test_relations_are_those_of_the_video_that_is_named() -> None:
    results = made_up(["run", "wave"])
    key = close_ups(results.test, results.classes)[0]
    row = list(results.of_first_seed).index(key)
    known = np.full_like(results.relations["adapted"], 0.2)
    known[row, 1, 2, 3] = 0.75
    drawn = figures.figures(replace(results, relations={**results.relations, "adapted": known}))
    assert f"Relations of the clips of {key}" in drawn["relations_1"]
    assert "RGB after 0.20 to 0.20" in drawn["relations_1"]
    assert "flow after 0.20 to 0.75" in drawn["relations_1"]


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\xff\xd8" + b"0" * 2**18])
def test_what_is_no_small_picture_is_not_shown(content: bytes) -> None:
    with pytest.raises(UserError, match="no small pictures"):
        data_url(content)


def test_relations_of_other_videos_are_told(tmp_path: Path) -> None:
    path = tmp_path / "relations.safetensors"
    relations.save(path, made_up(["run", "wave"]).relations)
    assert relations.load(path, MODELS, 8)["adapted"].shape == (8, 2, 5, 5)
    with pytest.raises(UserError, match=r"\(8, 2, 5, 5\) for 7 videos"):
        relations.load(path, MODELS, 7)


def test_labels_outside_the_task_are_no_mistakes() -> None:
    results = made_up(["run", "wave"])
    alien = [{**row, "label": "swim"} for row in results.predictions]
    assert not mistakes(replace(results, predictions=alien).test, results.classes)


def test_at_most_ten_videos_are_listed() -> None:
    results = made_up(["run", "wave"], videos=60)
    assert len(unsure(results.test)) == 10


def test_a_class_without_a_test_video_has_no_rate() -> None:
    results = made_up(["run", "wave"])
    for model in MODELS:
        del results.metrics[model]["per_class"]["wave"]
    confusion = [row for row in results.confusion if row["actual"] != "wave"]
    assert "1 wave 0 – – –" in told(replace(results, confusion=confusion))


def test_every_score_that_is_measured_has_plain_words() -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    predictions, labels = Predictions({0: logits, 1: -logits}), torch.arange(6) % 3
    measured = predictions.labelled(labels) | predictions.label_free()
    measured |= predictions.calibrated(labels)
    measured |= over_epochs({0: torch.zeros(2, 6, dtype=torch.int16)}, labels)
    del measured["accuracy_high"]  # told with accuracy_low
    log = AdaptationLog("remedy")
    memory = Memory(labels, torch.arange(3), torch.arange(3, 6))
    output = Output(logits, logits, logits, logits, logits)
    for epoch in (0, 1):
        log.add(
            epoch, {}, output, memory, dict.fromkeys(("clip_consistency", "mixup_consistency"), 1.0)
        )
    assert {*measured, *log.rows[1]} - {"epoch"} == glossary()["scores"].keys()
    assert all(entry(name).words for name in measured)


def test_every_method_has_plain_words() -> None:
    assert glossary()["methods"].keys() == METHODS.keys()


def test_the_glossary_tells_how_many_epochs_are_averaged() -> None:
    assert f"last {LAST_EPOCHS} epochs" in entry("last_epochs_mean").words


def test_an_unknown_loss_is_called_by_its_name() -> None:
    assert entry("my_new_loss").title == "My new loss"


def hashes(folder: Path) -> dict[str, str]:
    files = [folder / "results/report.html", *sorted((folder / "results/figures").iterdir())]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_stage_writes_the_same_bytes_whatever_pythons_hash_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        write(made_up(HOSTILE), folder)
    other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = os.environ | {"PYTHONHASHSEED": other, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipeline.stages.report"]
    subprocess.run(command, cwd=there, env=environment, check=True, capture_output=True)
    monkeypatch.chdir(here)
    stage.main()
    assert hashes(here) == hashes(there)
    assert len(hashes(here)) == 19


def test_figures_of_an_earlier_run_do_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(made_up(["run", "wave"], labelled=False), tmp_path)
    monkeypatch.chdir(tmp_path)
    old = Path("results/figures/accuracy.svg")
    old.parent.mkdir()
    old.write_text("old")
    stage.main()
    assert not old.exists()
    assert Path("results/figures/classes.svg").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("models/adapted/card.json", None, "card.json: no such file; `dvc repro`"),
        ("results/embedding.csv", None, "embedding.csv: no such file; `dvc repro`"),
        ("results/metrics.json", "{", "metrics.json: not JSON"),
        ("results/metrics.json", '{"labelled_test_videos": 1}', "metrics.json: adapted: missing"),
        (
            "results/confusion.csv",
            "actual,source_only,adapted\nfly,run,run\n",
            "'fly' is not known",
        ),
    ],
)
def test_a_missing_or_damaged_input_is_told(
    name: str,
    content: str | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(made_up(["run", "wave"]), tmp_path)
    monkeypatch.chdir(tmp_path)
    Path(name).unlink() if content is None else Path(name).write_text(content)
    with pytest.raises(UserError, match=message):
        stage.main()
