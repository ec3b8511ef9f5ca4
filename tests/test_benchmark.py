"""The benchmark: what it may be asked, which cells it repeats, what its tables say."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from two_domains import two_domains

from benchmarks.accuracy import (
    cells,
    choosing,
    claims,
    data,
    features,
    spec,
    summary,
    tables,
    with_source,
)
from benchmarks.accuracy.statistics import rank_correlation, sign_flip_p
from pipeline import params
from pipeline.errors import UserError
from pipeline.imports import reached
from pipeline.joint import JOINT_METHODS, JointWeights
from pipeline.labelling import Labelled
from pipeline.methods import METHODS
from pipeline.selection import SCORES
from pipeline.staging import Staging

ROOT = Path(spec.__file__).parent.parent.parent
PAPERS = [path.stem for path in sorted((ROOT / "benchmarks/papers").glob("*.yaml"))]
P = params.load(ROOT / "params.yaml")
GOOD: dict[str, Any] = {
    "tasks": [{"name": "demo", "source": "studio", "target": "street"}],
    "methods": ["source_only", "shot", "bold"],
    "variants": {"bold": {"method": "shot", "lr": 0.01}},
    "seeds": [0, 1],
    "baseline": "shot",
    "joint": ["source_only_late", "mmd"],
    "joint_baseline": "source_only_late",
}


# What may be asked


def test_the_repositorys_own_benchmark_is_read() -> None:
    chosen = spec.Spec.model_validate(
        yaml.safe_load((ROOT / "benchmarks/accuracy.yaml").read_text())
    )
    assert set(chosen.methods) >= set(METHODS)
    assert set(chosen.joint) == set(JOINT_METHODS)
    assert len(chosen.seeds) >= 5


def test_every_task_of_the_repositorys_benchmark_fits_params_yaml(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    for task in spec.load().tasks:
        p = spec.params_of(task)
        imported = p.domains[task.source].dataset == "imported"
        assert (p.features.backbone == "imported") == imported
    odd = spec.Task(name="odd", source="hmdb_f", target="street")
    with pytest.raises(UserError, match=r"domains\.hmdb_f"):
        spec.params_of(odd)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("methods", ["shott"], "no method or variant 'shott'"),
        ("baseline", "mtran", "baseline 'mtran' is not among the methods"),
        ("joint", ["shot"], "joint: no method 'shot'"),
        ("joint", ["mmd"], "joint_baseline 'source_only_late' is not among joint"),
        ("seeds", [], "seeds"),
        ("joint_baselin", "mmd", "joint_baselin: unknown key; did you mean 'joint_baseline'"),
        (
            "tasks",
            [{"name": "a", "source": "b", "target": "c", "preset": []}],
            r"tasks\.0\.preset: unknown key; did you mean 'presets'",
        ),
        ("tasks", [], "tasks"),
    ],
)
def test_what_does_not_fit_is_refused(key: str, value: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "accuracy.yaml"
    path.write_text(yaml.safe_dump({**GOOD, key: value}))
    with pytest.raises(UserError, match=message):
        spec.load(path)


def test_a_variant_changes_what_it_says_and_nothing_else() -> None:
    chosen = spec.Spec.model_validate(GOOD)
    assert chosen.adapt("shot", P.adapt) == P.adapt.model_copy(update={"method": "shot"})
    changed = {"method": "shot", "lr": 0.01}
    assert chosen.adapt("bold", P.adapt) == P.adapt.model_copy(update=changed)


def test_a_variant_that_does_not_fit_is_refused_by_name() -> None:
    chosen = spec.Spec.model_validate({**GOOD, "variants": {"bold": {"lrr": 1}}})
    with pytest.raises(UserError, match=r"variants\.bold: lrr"):
        chosen.adapt("bold", P.adapt)


def test_what_is_published_stands_under_names_of_methods() -> None:
    published = yaml.safe_load((ROOT / "benchmarks/published.yaml").read_text())
    for entry in published.values():
        assert set(entry["values"]) <= set(METHODS) or set(entry["values"]) <= set(JOINT_METHODS)
        assert all(0 < value <= 100 for value in entry["values"].values())


@pytest.mark.parametrize("name", PAPERS)
def test_a_papers_table_names_what_is_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    published = yaml.safe_load((ROOT / "benchmarks/published.yaml").read_text())
    chosen = spec.load(Path(f"benchmarks/papers/{name}.yaml"))
    for task in chosen.tasks:
        assert task.published in published
        assert set(published[task.published]["values"]) <= {*chosen.methods, *chosen.joint}
        p = spec.params_of(task)
        assert p.features.backbone == "i3d"
        assert p.decode.size == 224
        assert p.network.layers == 6
        assert {task.source, task.target} <= p.domains.keys()


def test_the_papers_tables_hold_every_cell_that_is_published() -> None:
    published = yaml.safe_load((ROOT / "benchmarks/published.yaml").read_text())
    specs = [spec.load(ROOT / f"benchmarks/papers/{name}.yaml") for name in PAPERS]
    assert {task.published for chosen in specs for task in chosen.tasks} == published.keys()


def test_presets_lie_over_params_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    task = spec.Task(name="a", source="ucf", target="hmdb", presets=("i3d", "mtran_paper_epic"))
    p = spec.params_of(task)
    assert (p.adapt.lambda1, p.adapt.lambda2, p.decode.size) == (0.5, 0.05, 224)
    assert p.seeds == P.seeds
    with pytest.raises(UserError, match="no preset 'nonesuch'"):
        spec.params_of(task.model_copy(update={"presets": ("nonesuch",)}))


def test_params_yaml_is_swapped_and_put_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    own = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(own)
    task = spec.Task(name="a", source="hmdb", target="ucf", presets=("i3d",))
    seen = []

    def repro(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        seen.append((command, params.load()))
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", repro)
    with pytest.raises(UserError, match="a: data/raw/hmdb, data/raw/ucf"):
        features.make([task])
    for name in ("hmdb", "ucf"):
        Path("data/raw", name).mkdir(parents=True)
    with pytest.raises(UserError, match="features of task a: dvc repro ended with 1"):
        features.make([task])
    ((command, p),) = seen
    assert command == ["dvc", "repro", "features@hmdb", "features@ucf"]
    assert (p.task.source, p.task.target, p.features.backbone) == ("hmdb", "ucf", "i3d")
    assert Path("params.yaml").read_text() == own
    assert not features.KEPT.exists()


def test_params_yaml_of_a_killed_run_is_put_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("own")
    entered = features.swapped("other")
    entered.__enter__()  # and never left
    assert Path("params.yaml").read_text() == "other"
    features.put_back()
    assert Path("params.yaml").read_text() == "own"


# The data of a cell


def test_components_keep_what_varies_in_the_source_and_learn_nothing_of_the_target() -> None:
    source, target = (domain.features for domain in two_domains(0, (40, 30)))
    narrow, other = data.in_components(source, target, 16)
    assert (narrow.dim, other.dim, len(other)) == (16, 16, 30)
    clips = narrow.rgb.flatten(0, 1)
    assert clips.mean(dim=0).abs().max() < 1e-5
    assert clips.std().item() == pytest.approx(1, abs=1e-3)
    spread = clips.std(dim=0)
    assert (spread[:-1] >= spread[1:]).all()
    _, alone = data.in_components(source, target.select([3]), 16)
    assert torch.equal(alone.rgb, other.rgb[3:4])
    with pytest.raises(UserError, match="components: 65"):
        data.in_components(source, target, 65)


@pytest.mark.parametrize(("name", "target"), [("mmd", False), ("target_supervised", True)])
def test_a_method_that_sees_the_source_learns_the_labels_that_it_names(
    name: str, target: bool
) -> None:
    source, other = two_domains(0, (12, 18))
    keys = other.features.keys[:9]
    known = Labelled(keys, other.labels[:9])
    task = data.Data(
        ("a",) * 6,
        source.features,
        source.labels,
        other.features,
        list(range(12)),
        known,
        list(range(12, 18)),
        other.labels[12:],
    )
    learnt = with_source.learnt(JOINT_METHODS[name](JointWeights()), task)
    assert learnt.source.keys == (keys if target else source.features.keys)
    assert learnt.labels.equal(known.numbers if target else source.labels)
    assert learnt.target.keys == other.features.keys[:12]


# Which cells are repeated


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> cells.Work:
    monkeypatch.setattr("benchmarks.accuracy.data.digest", lambda task: "the same data")
    chosen = spec.Spec.model_validate(GOOD)
    return cells.Work(chosen.tasks[0], chosen, P, Staging("benchmark", "demo"))


def test_a_cell_depends_on_its_parameters_and_its_own_method(work: cells.Work) -> None:
    prints = [work.fingerprint(cell) for cell in work.cells()]
    assert len(prints) == 6
    assert len(set(prints)) == len(prints)
    assert prints == [work.fingerprint(cell) for cell in work.cells()]


def test_ablations_of_one_file_have_cells_of_their_own(work: cells.Work) -> None:
    names = ("contrastive_modality_only", "contrastive_domain_only", "contrastive_as_published")
    assert len({work.fingerprint(cells.Cell("joint", name)) for name in names}) == 3


def test_the_code_of_a_cell_is_that_of_its_method_and_of_training_alone() -> None:
    files = reached([cells.SHARED, ROOT / "pipeline/methods/shot.py"], cells.NOT_ENTERED)
    names = {str(file.relative_to(ROOT)) for file in files}
    assert {"pipeline/descent.py", "pipeline/methods/shot.py", "pipeline/losses.py"} <= names
    assert not names & {"pipeline/methods/mtran.py", "pipeline/params.py"}


# What the tables say


def run(accuracies: list[float], predicted: list[int]) -> dict[str, Any]:
    rows = [
        {"epoch": epoch, "accuracy": value, **dict.fromkeys(SCORES, value)}
        for epoch, value in enumerate(accuracies)
    ]
    return {"rows": rows, "epoch": len(rows) - 1, "predicted": predicted, "warnings": ["look"]}


TASK: dict[str, Any] = {
    "task": {"source": "a", "target": "b"},
    "classes": ["x", "y"],
    "labels": [0, 0, 1, 1],
    "train_videos": 9,
    "cells": {
        "shot": {"0": run([0.5, 0.75], [0, 0, 1, 0]), "1": run([0.5, 0.5], [0, 0, 0, 0])},
        "mtran": {"0": run([0.5, 1.0, 0.75], [0, 0, 1, 0]), "1": run([0.5, 1.0], [0, 0, 1, 1])},
        "bad": {"error": "epoch 3: training ran away"},
    },
}


def test_a_line_holds_the_last_epoch_and_the_oracle_apart() -> None:
    line = summary.line("mtran", TASK, "shot", {"mtran": 92.22})
    assert line.mean == pytest.approx((0.75 + 1.0) / 2)
    assert line.deviation == pytest.approx(np.std([0.75, 1.0], ddof=1))
    assert line.oracle == 1.0
    assert line.last_epochs == pytest.approx((0.875 + 1.0) / 2)
    assert line.difference == pytest.approx(0.25)
    assert line.published == 92.22
    assert line.warnings == 2


def test_a_method_that_failed_keeps_its_reason() -> None:
    line = summary.line("bad", TASK, "shot", {})
    assert line.error == "epoch 3: training ran away"
    assert tables.cells(line, "shot")[:2] == ["bad", "failed"]


def test_the_baseline_is_compared_with_nothing() -> None:
    line = summary.line("shot", TASK, "shot", {})
    assert line.difference is None
    assert tables.cells(line, "shot")[3] == "baseline"


def test_a_claim_is_confirmed_refuted_or_left_open() -> None:
    labels = [0, 1] * 20
    said = {"good": labels, "half": [0] * 40, "bad": [1 - label for label in labels]}
    cells = {name: {"0": run([0.5], predicted)} for name, predicted in said.items()}
    task = {
        "labels": labels,
        "cells": {"source_only": cells["bad"], "shot": cells["good"], "mtran": cells["half"]},
        "joint": {"source_only_late": cells["half"], "cross_modal_contrastive": cells["half"]},
    }
    found = {verdict.claim: verdict for verdict in claims.verdicts(task)}
    assert found["shot > source_only"].verdict == "confirmed"
    assert found["shot > source_only"].difference == 1
    assert found["mtran > shot"].verdict == "refuted"
    assert found["cross_modal_contrastive > source_only_late"].verdict == "not told apart"
    assert len(found) == 4


def test_a_perfect_score_loses_nothing_and_ranks_methods() -> None:
    first, *others = choosing.choices(TASK)
    assert first.score == "last"
    assert first.below_oracle == pytest.approx((0.75 + 0.5 + 1.0 + 1.0) / 4 - 0.75)
    assert [choice.score for choice in others] == list(SCORES)
    clips = next(choice for choice in others if choice.score == "clip_consistency")
    assert clips.below_oracle == pytest.approx(0)
    assert clips.ranks == pytest.approx(1)
    assert clips.pick == "mtran"
    entropy = next(choice for choice in others if choice.score == "mean_entropy")
    assert entropy.pick == "shot"
    assert entropy.pick_below_best == pytest.approx(0.25)


def test_a_task_without_cells_is_named_with_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"demo\.json: no such file; .*cells demo"):
        tables.write(spec.Spec.model_validate(GOOD), tmp_path, tmp_path)


def test_latex_escapes_what_latex_reads() -> None:
    text = tables.latex("a → b: 3 %", ["method", "p"], [["mt_mix", "< 0.001"]])
    assert r"mt\_mix & $<$ 0.001 \\" in text
    assert r"\caption{a $\to$ b: 3 \%}" in text


def test_a_paired_difference_that_is_always_there_is_not_luck() -> None:
    assert sign_flip_p(np.full(40, 0.2)) < 0.001
    assert sign_flip_p(np.array([1.0, -1.0] * 20)) == 1
    assert sign_flip_p(np.zeros(5)) == 1
    # of 8 sign patterns of three equal differences, two are as far from 0
    assert sign_flip_p(np.ones(3)) == pytest.approx(0.25, abs=0.02)


def test_rank_correlation_equals_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    first, second = np.random.default_rng(0).integers(0, 5, (2, 12)).astype(float)
    expected = stats.spearmanr(first, second).statistic
    assert rank_correlation(first, second) == pytest.approx(expected)
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3.0)))
