"""Every method, run by its stage: nothing of the source but its model, and no label, counts."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from small_project import SOURCE, TARGET, scramble_labels, set_method, without_the_source, write

from pipeline import index, paths, store
from pipeline.errors import UserError
from pipeline.methods import METHODS, Memory
from pipeline.methods.shot import Shot
from pipeline.model import State
from pipeline.network import Output
from pipeline.stages import adapt


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the source's data and all labels."""
    folder = tmp_path_factory.mktemp("projects") / "whole"
    write(folder)
    return folder


@pytest.fixture(scope="module")
def scrambled(whole: Path) -> Path:
    """The same with the source's model alone, and wrong labels of the target."""
    folder = shutil.copytree(whole, whole.with_name("scrambled"))
    without_the_source(folder)
    scramble_labels(folder)
    return folder


@pytest.fixture(scope="module")
def unlabelled(whole: Path) -> Path:
    """The same with the source's model alone, and no label of the target."""
    folder = shutil.copytree(whole, whole.with_name("unlabelled"))
    without_the_source(folder)
    (folder / paths.labels(TARGET)).unlink()
    (folder / paths.classes(TARGET)).unlink()
    return folder


def adapted(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The hash of each file that the stage writes."""
    set_method(folder, name)
    monkeypatch.chdir(folder)
    adapt.main()
    written = [*paths.ADAPTED_MODEL.iterdir(), *paths.RESULTS.iterdir()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in written}


@pytest.mark.parametrize("name", METHODS)
def test_neither_the_sources_data_nor_a_label_changes_a_byte(
    name: str, whole: Path, scrambled: Path, unlabelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = adapted(whole, name, monkeypatch)
    assert set(expected) == {
        *(f"models/adapted/{file}" for file in ("card.json", "training.csv")),
        *(f"models/adapted/seed-{seed}.safetensors" for seed in (0, 1)),
        *(f"results/{file}" for file in ("adapt_mean.csv", "trajectory.safetensors")),
    }
    assert adapted(scrambled, name, monkeypatch) == expected
    assert adapted(unlabelled, name, monkeypatch) == expected


# The test above would find a method out


class ReadsLabels(Shot):
    """Takes the target's labels for pseudo-labels."""

    def remember(self, predictions: Output, state: State) -> Memory:
        memory = super().remember(predictions, state)
        labels = index.read_labels(paths.labels(TARGET))
        numbers = {name: number for number, name in enumerate(sorted(set(labels.values())))}
        own = [numbers[label] for label in labels.values()][: len(memory.pseudo_labels)]
        return memory._replace(pseudo_labels=torch.tensor(own))


class ReadsTheSource(Shot):
    """Looks at the source's features, and makes nothing of them."""

    def remember(self, predictions: Output, state: State) -> Memory:
        store.load(paths.features(SOURCE))
        return super().remember(predictions, state)


def test_a_method_that_reads_labels_is_found_out(
    whole: Path, scrambled: Path, unlabelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "shot", ReadsLabels)
    honest, misled = (adapted(folder, "shot", monkeypatch) for folder in (whole, scrambled))
    changed = {file for file in honest if honest[file] != misled[file]}
    assert {"models/adapted/seed-0.safetensors", "results/adapt_mean.csv"} <= changed
    with pytest.raises(UserError, match="labels"):
        adapted(unlabelled, "shot", monkeypatch)


def test_a_method_that_reads_the_source_is_found_out(
    whole: Path, scrambled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "shot", ReadsTheSource)
    assert adapted(whole, "shot", monkeypatch)
    with pytest.raises(UserError, match=f"features/{SOURCE}"):
        adapted(scrambled, "shot", monkeypatch)


def test_the_folders_differ_as_they_should(whole: Path, scrambled: Path) -> None:
    right, wrong = (
        index.read_labels(folder / paths.labels(TARGET)) for folder in (whole, scrambled)
    )
    assert right.keys() == wrong.keys()
    assert sum(right[key] != wrong[key] for key in right) > len(right) / 3
    assert not list(scrambled.glob(f"data/*/{SOURCE}"))
    assert list(whole.glob(f"data/*/{SOURCE}"))
