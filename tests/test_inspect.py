"""What a look at videos tells before anything runs: facts, warnings, estimates."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from films import write, write_pictures

from pipeline import clips, concerns, estimates, inspect, params, stages, survey
from pipeline.datasets.listing import Listed
from pipeline.errors import UserError, VideoError
from pipeline.estimates import Costs, Stage
from pipeline.index import Video
from pipeline.per_video import Job
from pipeline.survey import Header

ROOT = Path(__file__).parent.parent
P = params.load(ROOT / "params.yaml")


def header(key: str, label: str | None = "run", split: str = "train", **facts: float) -> Header:
    listed = Listed(key, key, "train" if split == "train" else "test", label)
    told = {"seconds": 2.0, "frames": 50, "fps": 25.0, "width": 320, "height": 240} | facts
    return Header(listed, codec="h264", bits=None, **told)  # type: ignore[arg-type]


def drawn(seed: int, count: int = 30, move: int = 1) -> list[np.ndarray]:
    """Frames of a texture that glides."""
    coarse = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    texture = coarse.repeat(12, axis=0).repeat(12, axis=1)
    return [np.roll(texture, move * number, axis=1)[:96, :128] for number in range(count)]


# headers


def test_headers_tell_what_the_films_are_and_what_cannot_be_opened(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", 50, size=(64, 48), fps=25)
    write(tmp_path / "b.avi", 30, size=(32, 24), fps=10, codec="mpeg4")
    (tmp_path / "c.mp4").write_bytes(b"no film")
    listed = [Listed(name, name, "train", "run") for name in ("a.mp4", "b.avi", "c.mp4")]
    headers, faults = survey.read(tmp_path, listed)
    first, second = headers
    assert (first.frames, first.fps, first.width, first.height) == (50, 25.0, 64, 48)
    assert first.seconds == pytest.approx(2.0)
    assert (second.frames, second.fps, second.codec) == (30, 10.0, "mpeg4")
    assert faults.keys() == {"c.mp4"}
    assert "cannot be opened as a video" in faults["c.mp4"]


def test_the_same_film_in_another_form_is_a_near_duplicate_and_another_film_is_not(
    tmp_path: Path,
) -> None:
    small = [np.ascontiguousarray(picture[::2, ::2]) for picture in drawn(0)]
    write_pictures(tmp_path / "one.mp4", drawn(0))
    write_pictures(tmp_path / "again.avi", small, codec="mpeg4")
    write_pictures(tmp_path / "longer.mp4", drawn(0, count=60))
    write_pictures(tmp_path / "other.mp4", drawn(1))
    black = [np.zeros((48, 64, 3), np.uint8)] * 30
    write_pictures(tmp_path / "black.mp4", black)
    shutil.copy(tmp_path / "black.mp4", tmp_path / "dark.mp4")

    def read(*names: str) -> list[Header]:
        return survey.read(tmp_path, [Listed(name, name, "train") for name in names])[0]

    others = read("other.mp4", "longer.mp4", "again.avi", "dark.mp4")
    pairs = survey.near_duplicates(read("one.mp4", "black.mp4"), others)
    assert pairs == [("one.mp4", "again.avi")]
    assert survey.near_duplicates(read("one.mp4"), others[:2]) == []
    assert survey.near_duplicates(read("one.mp4"), []) == []


def test_a_video_stands_beside_the_one_that_is_most_like_it() -> None:
    def seen(key: str, *flipped: int) -> Header:
        bits = np.arange(64) % 3 == 0
        bits[list(flipped)] ^= True
        return replace(header(key), bits=bits)

    others = [seen("far", *range(7)), seen("near", *range(6)), seen("nearer", 9), seen("no", 9)]
    assert survey.near_duplicates([seen("a"), seen("b")], others) == [
        *(("a", "nearer"), ("b", "nearer")),
    ]
    assert survey.near_duplicates([seen("a")], others[:2]) == [("a", "near")]
    assert survey.near_duplicates([seen("a")], others[:1]) == []
    assert concerns.of_pair([seen("a")], [seen("near", 1)])[-1] == (
        "perhaps the same video in source and target: a and near"
    )


# warnings


def test_a_sound_pair_gives_no_warning() -> None:
    sound = [
        header(f"{label}{n}", label, split)
        for label in ("run", "walk")
        for n in range(6)
        for split in ("train", "test")
    ]
    assert concerns.of_domain("lab", sound, {}) == []
    assert concerns.of_pair(sound, sound) == []


def test_each_fault_of_a_domain_is_told() -> None:
    many = [header(f"a{n}", "walk") for n in range(60)]
    few = [header("b", "run"), header("c", "run", frames=1)]
    assert concerns.of_domain("lab", [*many, *few], {"d": "broken"}) == [
        "lab: 1 videos cannot be opened",
        "lab: c of one frame only, which show no motion",
        "lab: no test video",
        "lab: fewer than 5 training videos of run",
        "lab: classes are uneven, 2 to 60 training videos; adaptation supposes about the source's "
        "frequencies",
    ]


def test_classes_are_counted_by_their_training_videos() -> None:
    enough = [header(f"a{n}", "walk") for n in range(5)]
    few = [header(f"b{n}", "run") for n in range(4)]
    tests = [header(f"c{n}", "run", "test") for n in range(9)]
    told = "lab: fewer than 5 training videos of run"
    assert concerns.of_domain("lab", [*enough, *few, *tests], {}) == [told]


def test_of_many_names_the_first_are_told() -> None:
    many = [header(name, "run", "test", frames=1) for name in "abcdefg"]
    short = "lab: a, b, c, d, e and 2 more of one frame only, which show no motion"
    assert concerns.of_domain("lab", many, {})[0] == short


def test_what_does_not_fit_between_source_and_target_is_told() -> None:
    source = [header("a", "run"), header("b", "walk"), header("c", "sit")]
    target = [header("x", "run", seconds=10.0, fps=100.0), header("y", "jump", seconds=10, fps=100)]
    assert concerns.of_pair(source, target) == [
        "not in the target: sit, walk",
        "not in the source: jump",
        "source and target share fewer than 2 classes; task.classes needs them",
        "durations differ: 2 and 10 in the median",
        "frame rates differ: 25 and 100 in the median",
    ]
    unlabelled = [header("x", None)]
    assert concerns.of_pair(source, unlabelled) == []
    assert "no labels" in concerns.of_pair(unlabelled, source)[0]


# estimates


def test_costs_grow_with_what_each_video_needs() -> None:
    """One video has as many frames as its clips show, the other only 11."""
    videos = [header("a", frames=1000), header("b", frames=11)]
    costs = Costs(decoding=1.0, coding=0.5, frame=1000.0, flow=2.0, pair=100.0, clip=3.0)
    p = P.model_copy(update={"engine": params.Engine(workers=2)})
    told = estimates.per_video(videos, costs, p, start=4.0)
    megapixels, needed, pairs, count = 1011 * 320 * 240 / 1e6, 160 + 11, 80 + 10, 10
    assert told["decode"].seconds == pytest.approx((megapixels + 0.5 * needed) / 2 + 4)
    assert told["flow"].seconds == pytest.approx((2 * pairs + 0.5 * needed + 0.5 * pairs) / 2 + 4)
    assert told["features"].seconds == pytest.approx(
        (3 * count + 0.5 * needed + 0.5 * pairs) / 2 + 4
    )
    assert told["decode"].disk == 2 * 1000 * needed
    assert told["flow"].disk == 2 * 100 * pairs
    assert told["features"].disk == 2 * 4 * 2 * 256 * count
    streamed = P.features.model_copy(update={"stream": True})
    told = estimates.per_video(videos, costs, p.model_copy(update={"features": streamed}), 4.0)
    assert told["features"].seconds == pytest.approx((megapixels + 2 * pairs + 3 * count) / 2 + 4)
    assert (told["decode"].disk, told["flow"].disk) == (0, 0)


def test_costs_are_those_of_a_unit_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything takes 6 seconds, and all together 20."""
    summary = SimpleNamespace(frames=40)
    frames = np.zeros((20, 32, 32, 3), np.uint8)
    sampled = SimpleNamespace(frames=frames, numbers=list(range(20)), summary=summary)

    class Decoder:
        clips = P.clips

        def __call__(self, video: Video) -> Any:
            if video.key == "bad":
                raise VideoError("cut off")
            return sampled

    def flow(frames: Any, numbers: Any, pairs: list[int]) -> np.ndarray:
        return np.zeros((len(pairs), 32, 32, 3), np.uint8)

    def work(job: Job) -> bytes:
        return b""

    def timed(what: Any, *given: Any, **named: Any) -> tuple[float, Any]:
        return 20.0 if what is work else 6.0, what(*given, **named)

    monkeypatch.setattr(estimates, "_timed", timed)
    source: Any = SimpleNamespace(decoder=Decoder(), flow=flow)
    costs = estimates.measured([header("bad"), header("a")], work, source)  # type: ignore[arg-type]
    pairs = len(clips.plan(40, **P.clips.model_dump()).distinct_pairs)
    assert costs.decoding == pytest.approx(6 / (40 * 320 * 240 / 1e6))
    assert (costs.coding, costs.flow) == (6 / 20, 6 / pairs)
    assert costs.clip == 8 / (P.clips.segments * P.clips.windows)
    with pytest.raises(UserError, match="none of the videos that were tried, 1 of the domain"):
        estimates.measured([header("bad")], work, source)  # type: ignore[arg-type]


def test_training_grows_with_epochs_and_videos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "_timed", lambda run, epochs: (5.0 + 2 * epochs, None))
    p = P.model_copy(update={"seeds": [0]})
    told = estimates.of_training({"source": 6, "target": 12}, 2, p)
    assert told["pretrain"].seconds == 2 * P.pretrain.epochs * 6 / 12
    assert told["adapt"].seconds == 2 * P.adapt.epochs


def test_videos_are_tried_all_over_the_list() -> None:
    tried = estimates.evenly([header(str(n)) for n in range(10)], 3)
    assert [one.listed.key for one in tried] == ["1", "4", "7"]
    assert len(estimates.evenly(tried, 5)) == 3


def test_stages_add_up() -> None:
    assert estimates.total([Stage(1.0, 10.0), Stage(2.0)]) == Stage(3.0, 10.0)


# the command


def test_the_command_tells_facts_warnings_and_estimates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for domain, label, count in (("lab", "run", 2), ("lab", "walk", 2), ("yard", "run", 2)):
        folder = tmp_path / domain / label
        folder.mkdir(parents=True)
        for number in range(count):
            write(folder / f"{number}.mp4", 20)
    (tmp_path / "yard/run/bad.avi").touch()
    write(tmp_path / "yard/run/a\x1b[2J.mp4", 1)
    (tmp_path / "models").symlink_to(ROOT / "models")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimates, "start_up", lambda: 1.0)
    monkeypatch.setattr("sys.argv", ["inspect", "lab", "yard", "--measure", "1"])
    stages.run(inspect.main)
    told = capsys.readouterr().out
    assert "4 videos: " in told
    assert "2 classes: run 2, walk 2" in told
    assert "! run/bad.avi: the file is empty" in told
    assert "yard: 1 videos cannot be opened" in told
    assert "yard: run/a\ufffd[2J.mp4 of one frame only" in told
    assert "\x1b" not in told
    assert "not in the target: walk" in told
    for stage in ("decode", "flow", "features", "pretrain", "adapt", "together"):
        assert f"\n  {stage}" in told
    monkeypatch.setattr("sys.argv", ["inspect", "nowhere"])
    with pytest.raises(SystemExit, match="nowhere: expected a folder"):
        stages.run(inspect.main)
