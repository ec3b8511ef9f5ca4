"""A model labels videos: with the pipeline's features, whatever the container, bad files apart."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from films import write, write_sound

from pipeline import checkpoints, extraction, flow, paths, predict, stages, tables
from pipeline.checkpoints import Card
from pipeline.errors import UserError
from pipeline.index import Video
from pipeline.per_video import Job
from pipeline.predictor import Prediction, Predictor, extractor_of

ROOT = Path(__file__).parent.parent
CLASSES = ("jump", "<b>run</b>", "walk")
FRAMES = {
    "version": 2,
    "clips": {"segments": 2, "windows": 1, "frames": 8, "sampling": "spread"},
    "decode": {"size": 32, "resize": "squash"},
}
KINDS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"b_frames": 2},
    "hevc.mp4": {"codec": "libx265", "codec_options": {"x265-params": "log-level=none"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "vp9.webm": {"codec": "libvpx-vp9", "codec_options": {"deadline": "realtime", "cpu-used": "8"}},
    "h264.mov": {},
    "mpeg2.mpg": {"codec": "mpeg2video"},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an adapted model of two seeds, and the backbone it was trained on."""
    monkeypatch.chdir(tmp_path)
    paths.MODELS.mkdir()
    paths.backbone("i3d_nano").symlink_to(ROOT / "models/i3d_nano")
    card = Card(CLASSES, dim=256, layers=1, dropout=0.0, features={})
    made = extractor_of(with_features(card, {})).provenance()
    card = (
        with_features(card, made)
        .trained("pretrain", source="lab")
        .trained("adapt", target="yard", method="shot")
    )
    models = {seed: card.new_network(seed) for seed in (0, 1)}
    checkpoints.save(paths.ADAPTED_MODEL, models, card, [{"epoch": 1}])
    return tmp_path


def with_features(card: Card, made: dict[str, Any]) -> Card:
    computed = {"version": 1, "algorithm": flow.provenance(), "bound": 20.0}
    features = {"backbone": "i3d_nano", "precision": "float32"}
    parts = {"features": features, "frames": FRAMES, "flow": computed} | made
    return Card(card.classes, card.dim, card.layers, card.dropout, parts)


def run(*arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["predict", *arguments, "--workers", "1"])
        stages.run(predict.main)


def test_a_video_in_any_common_form_is_labelled(project: Path) -> None:
    predictor = Predictor.load()
    for name, coding in KINDS.items():
        said = predictor(write(project / name, 20, **coding))
        assert sorted(said.classes) == sorted(CLASSES)
        assert list(said.probabilities) == sorted(said.probabilities, reverse=True)
        assert sum(said.probabilities) == pytest.approx(1)
        assert said.seconds > 0


def test_probabilities_are_the_mean_over_the_seeds_of_the_pipelines_features(project: Path) -> None:
    predictor = Predictor.load()
    path = write(project / "a.mp4", 20)
    said = predictor(path)
    listed = Video("a.mp4", "a.mp4", None, None, "test", sha256="")
    row = extraction.read_entry("", predictor.extract(Job(listed, "")))
    streams = [torch.from_numpy(part.mean(axis=1))[None] for part in (row.rgb, row.flow)]
    each = [model(*streams).logits.softmax(dim=1)[0] for model in predictor.models.values()]
    expected = dict(zip(CLASSES, torch.stack(each).mean(dim=0).tolist(), strict=True))
    assert dict(zip(said.classes, said.probabilities, strict=True)) == pytest.approx(expected)


def test_a_labelled_target_lends_its_temperature(project: Path) -> None:
    path = write(project / "a.mp4", 20)
    plain = Predictor.load()
    assert plain.temperature is None
    paths.RESULTS.mkdir()
    (paths.RESULTS / "metrics.json").write_text(json.dumps({"adapted": {"temperature": 5.0}}))
    cooled = Predictor.load()
    assert cooled.temperature == 5.0
    assert cooled(path).probabilities[0] < plain(path).probabilities[0]


def test_unsure_is_less_likely_than_all_others_together() -> None:
    assert Prediction(Path("a"), ("x", "y"), (0.49, 0.3), 1.0).unsure
    assert not Prediction(Path("a"), ("x", "y"), (0.5, 0.5), 1.0).unsure


def test_bad_files_are_told_and_the_others_are_done(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project / "mine"
    (folder / "deep").mkdir(parents=True)
    write(folder / "b.mp4", 20)
    write(folder / "deep/a.mkv", 20)
    write_sound(folder / "sound.mp4")
    (folder / "empty.avi").touch()
    (folder / "notes.txt").write_text("no video")
    with pytest.raises(SystemExit) as stopped:
        run("mine", "--csv", "out/said.csv", "--html", "out/said.html", "--top", "2")
    told = str(stopped.value)
    assert "2 of 4 videos cannot be used" in told
    assert "mine/empty.avi  the file is empty" in told
    assert "mine/sound.mp4  no video in it" in told
    assert "not calibrated" in capsys.readouterr().err
    rows = tables.read(Path("out/said.csv"))
    assert [row["path"] for row in rows] == ["mine/b.mp4", "mine/deep/a.mkv"]
    assert rows[0].keys() == {
        *("path", "unsure", "class_1", "probability_1", "class_2", "probability_2"),
    }
    page = (project / "out/said.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "<b>run</b>" not in page
    assert "&lt;b&gt;run&lt;/b&gt;" in page
    assert not re.search(r"https?://", page)
    assert "mine/empty.avi" in page


def test_what_cannot_be_done_is_told_in_one_line(project: Path) -> None:
    with pytest.raises(SystemExit, match=r"error: nowhere\.mp4: no such file or folder"):
        run("nowhere.mp4")
    (project / "bare").mkdir()
    with pytest.raises(SystemExit, match="error: bare: no video in this folder"):
        run("bare")
    write(project / "a.mp4", 20)
    with pytest.raises(SystemExit, match="error: models/other: no model there"):
        run("a.mp4", "--model", "models/other")


def test_a_model_of_other_features_is_refused(project: Path) -> None:
    card, models = checkpoints.load(paths.ADAPTED_MODEL)
    imported = Card(CLASSES, card.dim, 1, 0.0, {"features": {"backbone": "imported"}})
    checkpoints.save(Path("models/theirs"), models, imported, [{"epoch": 1}])
    with pytest.raises(UserError, match="trained on imported features"):
        Predictor.load("models/theirs")
    weights = {**card.features, "backbone_sha256": "0"}
    checkpoints.save(
        Path("models/newer"), models, Card(CLASSES, card.dim, 1, 0.0, weights), [{"epoch": 1}]
    )
    with pytest.raises(UserError, match="backbone_sha256: the model expects '0'"):
        Predictor.load("models/newer")
    silent = Card(CLASSES, card.dim, 1, 0.0, {"features": card.features["features"]})
    checkpoints.save(Path("models/silent"), models, silent, [{"epoch": 1}])
    with pytest.raises(UserError, match="does not say how features are made"):
        Predictor.load("models/silent")
