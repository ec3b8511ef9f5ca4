"""A model labels videos: with the pipeline's features, whatever the container, bad files apart."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import adapted_model
import pytest
import torch
from adapted_model import CLASSES
from films import write, write_sound

from pipeline import checkpoints, extraction, paths, predict, stages, tables
from pipeline.checkpoints import Card
from pipeline.engine import Failure
from pipeline.errors import UserError, VideoError
from pipeline.index import Video
from pipeline.per_video import Job
from pipeline.predictor import Prediction, Predictor

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
    adapted_model.write()
    return tmp_path


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


def test_probabilities_are_the_mean_over_the_seeds_of_the_pipelines_features(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips: Any = adapted_model.FRAMES["clips"]
    monkeypatch.setitem(adapted_model.FRAMES, "clips", {**clips, "windows": 2})
    shutil.rmtree(paths.MODELS)
    adapted_model.write()
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
    assert Predictor.load(paths.ADAPTED_MODEL.absolute()).temperature == 5.0
    shutil.copytree(paths.ADAPTED_MODEL, "models/other")
    assert Predictor.load("models/other").temperature is None


def test_unsure_is_less_likely_than_all_others_together() -> None:
    assert Prediction(Path("a"), ("x", "y"), (0.49, 0.3), 1.0).unsure
    assert not Prediction(Path("a"), ("x", "y"), (0.5, 0.5), 1.0).unsure


def test_a_line_and_a_row_tell_the_same() -> None:
    path = Path("a/" * 40 + "clip.mp4")
    said = Prediction(path, ("x", "y", "z"), (0.123456789, 0.1, 0.05), 1.26)
    shown = predict.line(said, 2)
    assert shown == f"…{str(path)[-59:]}  unsure: x 12%, y 10%  (1.3 s)"
    assert predict.row(said, 2) == {
        **{"path": str(path), "unsure": "true"},
        **{"class_1": "x", "probability_1": 0.123457, "class_2": "y", "probability_2": 0.1},
    }
    sure = replace(said, path=Path("a" * 60), classes=("x", "y"), probabilities=(0.5, 0.5))
    assert predict.line(sure, 1).startswith("a" * 60 + "  x 50%  (")
    assert predict.row(sure, 9)["unsure"] == "false"
    hostile = replace(sure, path=Path("a\x1b[2J\n.mp4"))
    assert predict.line(hostile, 1).startswith("a\ufffd[2J\ufffd.mp4  x")


def test_a_file_that_is_named_twice_is_one(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.avi"):
        (tmp_path / name).touch()
    given = [tmp_path / "b.mp4", tmp_path, tmp_path / "a.avi"]
    assert predict.found(given) == [tmp_path / "b.mp4", tmp_path / "a.avi"]


def test_a_pipe_is_not_waited_for(project: Path) -> None:
    os.mkfifo("pipe.mp4")
    with pytest.raises(VideoError, match="no such file"):
        Predictor.load()("pipe.mp4")


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


def test_ctrl_c_keeps_what_is_labelled(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def some(
        predictor: Predictor, videos: list[Path], failures: list[Failure[Path]], workers: int
    ) -> Iterator[Prediction]:
        failures.append(Failure(videos[2], "cut\x1boff"))
        for video in (videos[3], videos[1]):
            yield Prediction(video, CLASSES, (0.5, 0.3, 0.2), 1.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "many", some)
    for name in "abcd":
        Path(f"{name}.mp4").touch()
    with pytest.raises(KeyboardInterrupt) as stopped:
        run(".", "--csv", "said.csv", "--html", "said.html")
    assert str(stopped.value).splitlines() == [
        "interrupted: 2 of 4 videos are labelled, told and kept",
        "1 of 4 videos cannot be used:",
        "  c.mp4  cut\\x1boff",
    ]
    told = capsys.readouterr().out.splitlines()
    assert [one.split()[0] for one in told] == ["b.mp4", "d.mp4"]
    assert [row["path"] for row in tables.read(Path("said.csv"))] == ["b.mp4", "d.mp4"]
    assert "d.mp4" in Path("said.html").read_text()


def test_ctrl_c_before_the_first_label_leaves_files_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> Iterator[Prediction]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Predictor, "many", none)
    for name in ("a.mp4", "said.csv", "said.html"):
        Path(name).write_text("earlier")
    with pytest.raises(KeyboardInterrupt, match="interrupted: 0 of 1 videos are labelled"):
        run("a.mp4", "--csv", "said.csv", "--html", "said.html")
    assert Path("said.csv").read_text() == Path("said.html").read_text() == "earlier"


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
