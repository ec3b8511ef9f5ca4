"""A received model in place of a source's videos, and refused where it does not fit."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import small_project
import source_model
import yaml
from small_project import SOURCE, TARGET, without_the_source

from pipeline import checkpoints, index, params, paths, per_video, store
from pipeline.errors import UserError
from pipeline.handover import __main__ as handover
from pipeline.handover import bundle, exported, fit
from pipeline.stages import adapt, features, joint, pretrain
from pipeline.stages import index as index_stage

MODEL = f"{SOURCE}_model"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`theirs`, the small project, and its model in `handed`, which fits its target."""
    folder = tmp_path_factory.mktemp("made")
    small_project.write(folder / "theirs")
    model = folder / "theirs" / paths.SOURCE_MODEL
    card, models = checkpoints.load(model)
    trained = card.trained("pretrain", source=SOURCE, test_accuracy=dict.fromkeys(models, 1.0))
    log = [{"seed": seed, "epoch": 1, "cross_entropy": 1.0} for seed in models]
    checkpoints.save(model, models, trained, log)
    exported.export(model, folder / "handed")
    return folder


@pytest.fixture
def handed(made: Path, tmp_path: Path) -> Path:
    """The folder that is handed over."""
    return shutil.copytree(made / "handed", tmp_path / "handed")


@pytest.fixture
def project(made: Path, tmp_path: Path, handed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the target's features alone, into which the model is received."""
    folder = shutil.copytree(made / "theirs", tmp_path / "ours")
    without_the_source(folder)
    shutil.rmtree(folder / paths.SOURCE_MODEL)
    monkeypatch.chdir(folder)
    receive(handed)
    change(task={"source": MODEL, "target": TARGET}, domains={MODEL: {"dataset": "received"}})
    return folder


def receive(folder: Path, *more: str) -> None:
    handover.main(["receive", str(folder), *more])


def refusal(*arguments: str) -> str:
    with pytest.raises(UserError) as refused:
        handover.main(list(arguments))
    return str(refused.value)


def change(**sections: Any) -> None:
    path = Path("params.yaml")
    content = yaml.safe_load(path.read_text())
    for name, values in sections.items():
        content[name] |= values
    path.write_text(yaml.safe_dump(content))


def run(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["stage", MODEL])
    stage.main()


def placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs what leads from the received folder to models/source."""
    for stage in (index_stage, features, pretrain):
        run(stage, monkeypatch)


def test_nothing_of_the_data_is_handed_over(made: Path) -> None:
    held = store.load(made / "theirs" / paths.features(SOURCE))
    rows = [row.tobytes()[:32] for stream in (held.rgb, held.flow) for row in stream]
    assert len(rows) == 40
    for path in (made / "handed").iterdir():
        content = path.read_bytes()
        assert not [row for row in rows if row in content]
        assert not [key for key in held.keys if key.encode() in content]


def test_the_stages_put_it_where_a_trained_one_would_be(
    project: Path, handed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(monkeypatch)
    for name in ("seed-0.safetensors", "seed-1.safetensors", "card.json", "training.csv"):
        assert (paths.SOURCE_MODEL / name).read_bytes() == (handed / name).read_bytes()
    videos = index.read_videos(paths.videos(MODEL))
    assert index.is_model(videos)
    assert per_video.why_idle(videos, stream=False) == "the domain is a model that was received"
    assert index.read_labels(paths.labels(MODEL)) == {}
    adapt.main()
    assert checkpoints.load(paths.ADAPTED_MODEL)[0].training["pretrain"]["source"] == SOURCE


def test_it_adapts_as_where_it_came_from(
    project: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(monkeypatch)
    adapt.main()
    ours = hashes(paths.ADAPTED_MODEL)
    monkeypatch.chdir(made / "theirs")
    adapt.main()
    theirs = hashes(paths.ADAPTED_MODEL)
    assert ours.keys() == theirs.keys()
    assert {name for name in ours if ours[name] != theirs[name]} == {"card.json"}


def hashes(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_receiving_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(Path(params.__file__).parent.parent / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    change(clips={"segments": 8}, flow={"bound": 10})
    receive(source_model.export(tmp_path / "handed"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("data/raw/lab_model: 2 models that tell apart 3 classes (jump, run,")
    assert "  domains: lab_model: {dataset: received}" in lines
    assert "  clips.segments: 5  # now 8" in lines
    assert "  flow.bound: 20.0  # now 10.0" in lines
    assert not [line for line in lines if "decode" in line]
    assert "warning: models/i3d_nano holds no *.safetensors file" in "\n".join(lines)
    assert bundle.verified(paths.raw("lab_model"))


def test_other_weights_of_the_backbone_are_told(tmp_path: Path) -> None:
    safetensors.torch.save_file({}, tmp_path / "rgb.safetensors")
    told = fit.weights(source_model.card(), tmp_path)
    assert told is not None
    assert told.startswith(f"{tmp_path}: other weights (SHA-256 ")
    assert "ab" * 32 in told


def test_of_imported_features_it_says_what_they_have_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(Path(params.__file__).parent.parent / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    made = {"features": {"backbone": "imported"}, "imported": {"dim": 8, "extractor": "tsn"}}
    receive(source_model.export(tmp_path / "handed", features=made))
    printed = capsys.readouterr().out
    assert "your features have to be imported too, with dim 8, extractor tsn" in printed
    assert "  features.backbone: imported  # now i3d_nano" in printed
    assert "warning" not in printed


def test_receiving_twice_is_receiving_once(project: Path, handed: Path) -> None:
    before = hashes(paths.raw(MODEL))
    receive(handed)
    assert hashes(paths.raw(MODEL)) == before


def test_another_model_or_domain_of_that_name_is_kept(project: Path, tmp_path: Path) -> None:
    other = source_model.export(tmp_path / "other")
    before = hashes(paths.raw(MODEL))
    assert "something else is there" in refusal("receive", str(other))
    told = refusal("receive", str(other), "--as", TARGET)
    assert f"domains.{TARGET} is of dataset imported" in told
    assert "letters, digits, - and _" in refusal("receive", str(other), "--as", "../x")
    assert hashes(paths.raw(MODEL)) == before
    receive(other, "--as", "another")
    assert paths.raw("another").is_dir()


def test_a_faulty_folder_leaves_nothing(project: Path, handed: Path) -> None:
    (handed / "card.json").write_text("{}")
    assert "other bytes" in refusal("receive", str(handed), "--as", "new")
    assert not paths.raw("new").exists()


# what does not fit


def test_a_change_behind_its_back_is_told_by_every_stage(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(index_stage, monkeypatch)
    weights = paths.raw(MODEL) / "seed-0.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4])
    for stage in (index_stage, features):
        with pytest.raises(UserError, match="other bytes than SHA256SUMS says"):
            run(stage, monkeypatch)
    weights.write_bytes(whole)
    run(features, monkeypatch)
    (paths.features(MODEL) / "card.json").unlink()
    with pytest.raises(UserError, match="missing, though SHA256SUMS names it"):
        run(pretrain, monkeypatch)


def test_classes_of_another_task_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(monkeypatch)
    change(task={"classes": ["run", "walk"]})
    with pytest.raises(UserError, match=r"tells apart jump, run, walk, which is fixed; set"):
        pretrain.main()
    change(task={"classes": ["walk", "run", "jump"]})
    pretrain.main()


def test_labels_of_other_classes_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(monkeypatch)
    index.write_classes(paths.classes(TARGET), ["Jump", "sit", "walk"])
    with pytest.raises(UserError, match=r"labels are Jump, sit, walk: they share fewer than 2"):
        pretrain.main()


def test_classes_that_one_side_lacks_are_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    placed(monkeypatch)
    index.write_classes(paths.classes(TARGET), ["run", "sit", "walk"])
    pretrain.main()
    printed = capsys.readouterr()
    assert "no label of the target says jump; the model may say so" in printed.out
    assert f"{TARGET} has videos of classes that the task does not tell apart (sit)" in printed.err
    index.write_classes(paths.classes(TARGET), [])
    pretrain.main()
    assert "no label of the target" not in capsys.readouterr().out


def test_features_of_another_origin_are_refused_with_what_to_do(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(paths.raw(MODEL))
    receive(source_model.export(tmp_path / "other"), "--as", MODEL)
    change(features={"backbone": "imported"})
    placed(monkeypatch)
    with pytest.raises(UserError) as caught:
        adapt.main()
    told = str(caught.value)
    assert "give params.yaml and models/ what the model expects and run `dvc repro`" in told
    assert "  features.backbone: the model expects 'i3d_nano', data/features/yard has 'imp" in told
    assert f"  backbone_sha256: the model expects '{'ab' * 32}'" in told
    assert "  frames.clips.segments: the model expects 5, data/features/yard has None" in told
    assert "  flow.bound: the model expects 20.0, data/features/yard has None" in told


def test_methods_that_see_the_source_are_not_run_without_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(index_stage, monkeypatch)
    with pytest.raises(UserError, match=r"lab_model is a received model .* one of adapt\.method"):
        joint.main()


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"task": {"source": TARGET, "target": MODEL}}, "is a received model, without videos to"),
        ({"domains": {MODEL: {"dataset": "received", "skip": {"a": "b"}}}}, "no `classes`, no `sk"),
        (
            {"domains": {MODEL: {"dataset": "received", "classes": ["a"]}}},
            "no `classes`, no `skip`",
        ),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    project: Path, sections: dict[str, Any], expected: str
) -> None:
    change(**sections)
    with pytest.raises(UserError) as caught:
        params.load()
    assert expected in str(caught.value)
