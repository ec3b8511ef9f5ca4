"""A model as a folder that stands alone: what is in it, what is refused, and that it predicts."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import adapted_model
import pytest
import yaml
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree
from films import write

from pipeline import checkpoints, paths, stages
from pipeline.checkpoints import Card
from pipeline.errors import UserError
from pipeline.handover import bundle
from pipeline.model_export import __main__ as command
from pipeline.model_export import measured
from pipeline.model_export.folder import export
from pipeline.predictor import Predictor, known_temperature

OUT = Path("out")
ADAPTED: dict[str, Any] = {
    "accuracy": 0.75,
    "accuracy_sd": 0.05,
    "accuracy_low": 0.6,
    "accuracy_high": 0.9,
    "temperature": 5.0,
    "calibrated_error": 0.125,
    "seeds": {"0": 0.7, "1": 0.8},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an adapted model, whose card tells what its source model was right on."""
    monkeypatch.chdir(tmp_path)
    adapted_model.write()
    return tmp_path


def evaluated(**changed: Any) -> None:
    """Metrics of the adapted model, and dvc.lock that says so."""
    paths.RESULTS.mkdir()
    told = {"labelled_test_videos": 40, "adapted": ADAPTED} | changed
    measured.METRICS.write_text(json.dumps(told))
    model = {"path": "models/adapted", "md5": measured.folder_digest(paths.ADAPTED_MODEL)}
    digest = hashlib.md5(measured.METRICS.read_bytes()).hexdigest()
    outs = [{"path": "results/metrics.json", "md5": digest}]
    lock = {"stages": {"evaluate": {"deps": [model], "outs": outs}}}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_folder_predicts_as_the_model_does_with_nothing_else_there(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated()
    film = write(project / "a.mp4", 20)
    expected = Predictor.load()(film)
    assert Predictor.load().temperature == 5.0
    export(paths.ADAPTED_MODEL, OUT)
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    shutil.move(OUT, elsewhere / "theirs")
    shutil.rmtree(paths.MODELS)
    monkeypatch.chdir(elsewhere)
    got = Predictor.load("theirs")(film)
    assert (got.classes, got.probabilities) == (expected.classes, expected.probabilities)


def test_the_same_model_gives_the_same_bytes_and_no_path(project: Path) -> None:
    export(paths.ADAPTED_MODEL, OUT)
    first = contents(OUT)
    export(paths.ADAPTED_MODEL, OUT)
    export(paths.ADAPTED_MODEL, Path("other"))
    assert first == contents(OUT) == contents(Path("other"))
    assert sorted(first) == [
        *("README.md", "SHA256SUMS", "backbone/flow.safetensors", "backbone/rgb.safetensors"),
        *("card.json", "seed-0.safetensors", "seed-1.safetensors", "training.csv"),
    ]
    assert not [name for name, content in first.items() if str(project).encode() in content]
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=OUT, capture_output=True, check=False).returncode == 0
    assert {path.stat().st_mode for path in OUT.iterdir() if path.is_file()} == {
        (OUT / "card.json").stat().st_mode
    }


@pytest.mark.parametrize("change", ["a file more", "another byte", "no export", "a link"])
def test_what_is_something_else_is_kept(project: Path, change: str) -> None:
    export(paths.ADAPTED_MODEL, OUT)
    if change == "a file more":
        (OUT / "notes.txt").write_text("mine")
    elif change == "another byte":
        (OUT / "README.md").write_text("mine")
    elif change == "no export":
        shutil.rmtree(OUT)
        shutil.copytree(paths.ADAPTED_MODEL, OUT)
        bundle.seal(OUT)  # as a model that is handed over
    else:
        OUT.rename("real")
        OUT.symlink_to("real")
    before = contents(OUT)
    with pytest.raises(
        UserError, match="out: something else is there, or an export that was chang"
    ):
        export(paths.ADAPTED_MODEL, OUT)
    assert contents(OUT) == before


def test_the_readme_tells_what_was_measured(project: Path) -> None:
    evaluated()
    export(paths.ADAPTED_MODEL, OUT)
    page = (OUT / "README.md").read_text()
    assert "| 75.0% of 40 (95% interval 60.0% to 90.0%, sd 5.0% over the seeds) |" in page
    assert "temperature 5.0; expected calibration error on held-out halves 12.5% |" in page
    assert "jump, &lt;b&gt;run&lt;/b&gt;, walk |" in page
    assert "lab, adapted to yard" in page


def test_one_seed_has_its_own_accuracy_and_no_temperature_of_all(project: Path) -> None:
    evaluated()
    card, seeds = export(paths.ADAPTED_MODEL, OUT, seed=1)
    known = card.training["export"]
    assert (seeds, known["accuracy"], "temperature" in known) == ([1], 0.8, False)
    assert known["accuracy_low"] < 0.8 < known["accuracy_high"]
    assert card.training["pretrain"]["test_accuracy"] == {"1": 0.75}
    assert (OUT / "training.csv").read_text() == "seed,epoch\n1,1\n"
    assert checkpoints.load(OUT)[1].keys() == {1}
    assert Predictor.load(OUT).temperature is None
    with pytest.raises(UserError, match=r"no model of seed 3; there are \[0, 1\]"):
        export(paths.ADAPTED_MODEL, Path("none"), seed=3)


@pytest.mark.parametrize("other", ["model", "metrics", "lock", "labels"])
def test_numbers_of_another_model_are_not_told(project: Path, other: str) -> None:
    evaluated(**({"labelled_test_videos": 0, "adapted": {}} if other == "labels" else {}))
    if other == "model":
        (paths.ADAPTED_MODEL / "training.csv").write_text("seed,epoch\n0,2\n")
    elif other == "metrics":
        measured.METRICS.write_text(measured.METRICS.read_text() + "\n")
    elif other == "lock":
        Path("dvc.lock").unlink()
    card, _ = export(paths.ADAPTED_MODEL, OUT)
    assert card.training["export"].keys() == {"vidshift"}
    assert "| not known: no labelled test video" in (OUT / "README.md").read_text()


def test_the_digest_is_that_of_dvc(project: Path) -> None:
    tree = Tree()
    for path in paths.ADAPTED_MODEL.iterdir():
        tree.add((path.name,), Meta(), HashInfo("md5", hashlib.md5(path.read_bytes()).hexdigest()))
    tree.digest()
    assert measured.folder_digest(paths.ADAPTED_MODEL) == tree.hash_info.value


def test_other_weights_of_the_backbone_are_refused(project: Path) -> None:
    paths.backbone("i3d_nano").unlink()
    paths.backbone("i3d_nano").mkdir()
    with pytest.raises(UserError, match="holds no"):
        export(paths.ADAPTED_MODEL, OUT)
    shutil.copy(adapted_model.ROOT / "models/i3d_nano/rgb.safetensors", "models/i3d_nano")
    with pytest.raises(UserError, match="other weights"):
        export(paths.ADAPTED_MODEL, OUT)
    assert not OUT.exists()


def test_a_model_of_imported_features_says_what_it_takes(project: Path) -> None:
    models = {0: Card(("a", "b"), 8, 1, 0.0, {}).new_network(0)}
    made = {"features": {"backbone": "imported"}, "imported": {"extractor": "theirs"}}
    card = Card(("a", "b"), 8, 1, 0.0, made).trained("pretrain", source="lab", test_accuracy={})
    checkpoints.save(paths.SOURCE_MODEL, models, card, [{"seed": 0, "epoch": 1}])
    export(paths.SOURCE_MODEL, OUT)
    assert "Its features were imported" in (OUT / "README.md").read_text()
    assert not (OUT / "backbone").exists()


def test_a_card_that_does_not_say_enough_is_told(project: Path) -> None:
    card, models = checkpoints.load(paths.ADAPTED_MODEL)
    bare = Card(card.classes, card.dim, card.layers, card.dropout, card.features)
    checkpoints.save(Path("models/bare"), models, bare, [{"seed": 0, "epoch": 1}])
    with pytest.raises(UserError, match=r"training\.pretrain"):
        export(Path("models/bare"), OUT)
    with pytest.raises(UserError, match="models/none: no model there"):
        export(Path("models/none"), OUT)
    assert not OUT.exists()


@pytest.mark.parametrize("temperature", [0, -1.0, "hot", 10**400, None, [1], "nan"])
def test_a_temperature_that_is_none_counts_as_not_known(project: Path, temperature: Any) -> None:
    card, _ = checkpoints.load(paths.ADAPTED_MODEL)
    assert known_temperature(OUT, card.trained("export", temperature=temperature)) is None
    assert known_temperature(OUT, card.trained("export", temperature=2)) == 2.0


def test_the_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["model_export", "out"])
        stages.run(command.main)
    said = capsys.readouterr()
    assert said.out == "out: 2 models, 3 classes, not calibrated\n"
    assert "the README tells no accuracy" in said.err
