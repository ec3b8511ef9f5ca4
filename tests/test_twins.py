"""Corrupted twins: other scenes, the same bytes again, and features that fit their videos."""

import shlex
import sys
from pathlib import Path
from typing import Any

import av
import films
import npz_files
import numpy as np
import pytest

from benchmarks import corruption, probe, twin_features, twins
from benchmarks.scenes import SHARES, Dealt, deal, scene_of
from benchmarks.twins import Settings
from pipeline.datasets import folder, imported
from pipeline.errors import UserError, VideoError

CLASSES = ("run", "walk")
NAMES = [
    f"{label}/Film_{movie}_{label}_f_cm_np1_le_bad_{clip}.mp4"
    for label in CLASSES
    for movie in range(6)
    for clip in range(2)
]
SETTINGS = Settings(CLASSES, per_class=90, strength=2.0, seed=0)

# Scenes


@pytest.mark.parametrize(
    ("video", "scene"),
    [
        ("golf/golf_golf_f_nm_np1_ri_goo_1.avi", "golf"),
        ("golf/Golf_Swing_@6Iron_golf_f_cm_np1_fr_med_1.avi", "Golf_Swing_@6Iron"),
        ("shoot_ball/KELVIN_shoot_ball_u_cm_np1_ba_med_4.avi", "KELVIN"),
        ("walk/holiday 3.mp4", "holiday 3"),
        ("run/Juno_walk_f_cm_np1_fr_med_8.avi", "Juno_walk_f_cm_np1_fr_med_8"),
    ],
)
def test_a_scene_is_what_stands_before_the_class(video: str, scene: str) -> None:
    assert scene_of(video) == scene


def test_no_scene_is_in_two_places_and_every_class_in_all() -> None:
    dealt = deal(NAMES, seed=0)
    assert [row.video for row in dealt] == sorted(NAMES)
    places = {(row.scene, row.domain, row.split) for row in dealt}
    assert len(places) == len({row.scene for row in dealt}) == 6
    for label in CLASSES:
        assert {(row.domain, row.split) for row in dealt if row.label == label} == set(SHARES)


def test_shares_are_kept_as_far_as_scenes_allow() -> None:
    names = [f"{label}/{number}.mp4" for label in CLASSES for number in range(100, 200)]
    dealt = deal(names, seed=3)
    for place, share in SHARES.items():
        for label in CLASSES:
            count = sum((row.domain, row.split, row.label) == (*place, label) for row in dealt)
            assert count == 100 * share


def test_the_order_of_the_list_changes_nothing_and_the_seed_does() -> None:
    assert deal(NAMES[::-1], seed=0) == deal(NAMES, seed=0)
    assert deal(NAMES, seed=1) != deal(NAMES, seed=0)


def test_a_class_of_one_scene_is_refused() -> None:
    lone = [f"jump/Film_9_jump_f_cm_np1_le_bad_{clip}.mp4" for clip in range(9)]
    with pytest.raises(UserError, match=r"--classes:\n  jump: none for"):
        deal([*NAMES, *lone], seed=0)


# Videos


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(NAMES):
        (root / name).parent.mkdir(exist_ok=True)
        films.write(root / name, 4 + number % 3, size=(64, 48))
    return root


@pytest.fixture(scope="module")
def made(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Dealt]]:
    work = tmp_path_factory.mktemp("work") / "twins"
    return work, twins.make_videos(videos, work, SETTINGS)


def pictures(path: Path) -> list[corruption.Frame]:
    with av.open(str(path)) as container:
        return [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for frame in container.decode(video=0)
        ]


def test_both_folders_are_domains_of_the_pipeline(made: tuple[Path, list[Dealt]]) -> None:
    work, rows = made
    for domain in ("source", "target"):
        listed = folder.list_videos(work / domain, None)
        expected = {(row.video, row.label, row.split) for row in rows if row.domain == domain}
        assert {(video.key, video.label, video.split) for video in listed} == expected


def test_the_source_is_left_alone(made: tuple[Path, list[Dealt]], videos: Path) -> None:
    work, rows = made
    for row in (row for row in rows if row.domain == "source"):
        assert (work / "source" / row.video).read_bytes() == (videos / row.video).read_bytes()


def test_the_target_is_darker_mirrored_and_as_long(
    made: tuple[Path, list[Dealt]], videos: Path
) -> None:
    work, rows = made
    row = next(row for row in rows if row.domain == "target")
    clear, dark = pictures(videos / row.video), pictures(work / "target" / row.video)
    assert len(dark) == len(clear)
    assert np.mean(dark) < 0.8 * np.mean(clear)
    seen, upright = np.stack(dark[1:]), np.stack(clear[1:])  # the first shows 0, which is all grey
    mirrored = upright[:, :, ::-1]
    assert np.corrcoef(seen.ravel(), mirrored.ravel())[0, 1] > 0.8
    assert np.corrcoef(seen.ravel(), upright.ravel())[0, 1] < 0.6


def test_the_same_video_gives_the_same_bytes(videos: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        source = videos / NAMES[0]
        out = tmp_path / f"{name}.mp4"
        corruption.corrupt(source, out, strength=3.0, seed=seed, key=NAMES[0])
    first, again, other = ((tmp_path / f"{name}.mp4").read_bytes() for name in "abc")
    assert first == again
    assert first != other


def test_at_strength_0_only_the_split_is_new(videos: Path, tmp_path: Path) -> None:
    rows = twins.make_videos(videos, tmp_path, Settings(CLASSES, 90, 0.0, 0))
    assert sorted(row.video for row in rows) == sorted(NAMES)
    for row in rows:
        copy = tmp_path / row.domain / row.video
        assert copy.read_bytes() == (videos / row.video).read_bytes()


def test_more_strength_takes_more_away() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    means = [
        corruption.degrade(frame, strength, np.random.default_rng(0)).mean()
        for strength in (1, 3, 5)
    ]
    assert frame.mean() > means[0] > means[1] > means[2]


def test_odd_sizes_are_cut_to_even_ones() -> None:
    frame = np.zeros((49, 65, 3), np.uint8)
    assert corruption.degrade(frame, 1.0, np.random.default_rng(0)).shape == (48, 64, 3)


def test_what_was_made_is_kept(made: tuple[Path, list[Dealt]], videos: Path) -> None:
    work, rows = made
    files = [work / row.domain / row.video for row in rows]
    before = [file.stat().st_mtime_ns for file in files]
    assert twins.make_videos(videos, work, SETTINGS) == rows
    assert [file.stat().st_mtime_ns for file in files] == before


def test_a_folder_made_with_other_settings_is_refused(
    made: tuple[Path, list[Dealt]], videos: Path
) -> None:
    with pytest.raises(UserError, match="other settings"):
        twins.make_videos(videos, made[0], Settings(CLASSES, 90, 3.0, 0))


def test_a_class_gives_at_most_so_many_videos(videos: Path) -> None:
    chosen = twins._chosen(videos, Settings(CLASSES, per_class=5, strength=1.0, seed=0))
    assert len(chosen) == len(set(chosen)) == 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(CLASSES, 90, 6.0, 0), "expected 0 to 5, found 6"),
        (Settings(("swim",), 90, 1.0, 0), "expected videos of the class, found none"),
    ],
)
def test_what_cannot_be_made_is_refused(
    settings: Settings, message: str, videos: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        twins.make_videos(videos, tmp_path, settings)


def test_a_broken_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.avi").write_bytes(b"no video at all")
    with pytest.raises(VideoError, match="cannot be decoded"):
        corruption.corrupt(
            tmp_path / "broken.avi", tmp_path / "out.mp4", strength=1.0, seed=0, key="broken"
        )


# Features

EXTRACTOR = """
import sys
from pathlib import Path
import npz_files
root, out = map(Path, sys.argv[1:3])
names = sorted(p.relative_to(root).as_posix() for p in root.glob("*/*") if p.is_file())
npz_files.save(out, *names[int(sys.argv[3]):], label=["wrong"] * len(names[int(sys.argv[3]):]))
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    script = tmp_path / "extractor.py"
    script.write_text(EXTRACTOR)
    monkeypatch.setenv("PYTHONPATH", str(Path(npz_files.__file__).parent))
    return f"{shlex.join([sys.executable, str(script)])} {{videos}} {{out}}"


def test_features_carry_the_labels_and_splits_of_their_videos(
    made: tuple[Path, list[Dealt]], command: str, tmp_path: Path
) -> None:
    work, rows = made
    twin_features.write(f"{command} 0", work, tmp_path, rows)
    for domain in ("source", "target"):
        listed = imported.list_videos(tmp_path / f"twins_{domain}", None)
        expected = {(row.video, row.label, row.split) for row in rows if row.domain == domain}
        assert {(video.key, video.label, video.split) for video in listed} == expected


def test_features_of_other_videos_are_refused(
    made: tuple[Path, list[Dealt]], command: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="only in one of the two"):
        twin_features.write(f"{command} 1", made[0], tmp_path, made[1])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("extract {videos}", "expected a command with"),
        ("false {videos} {out}", "try the command by hand"),
        ("true {videos} {out}", "wrote no"),
        ("/no/such/program {videos} {out}", "No such file"),
    ],
)
def test_a_command_that_makes_no_features_is_refused(
    command: str, message: str, made: tuple[Path, list[Dealt]], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        twin_features.write(command, made[0], tmp_path, made[1])


def test_the_probe_knows_separable_classes_and_their_shift(tmp_path: Path) -> None:
    label = np.array(["a", "b"] * 20)
    split = np.array(["train"] * 28 + ["test"] * 12)
    rgb = np.where(label == "a", 1.0, -1.0)[:, None, None] * np.ones((40, 2, 4), np.float32)
    named: dict[str, Any] = {"label": label, "split": split, "flow": rgb}
    keys = [f"{number}.mp4" for number in range(40)]
    ours = probe.read(npz_files.save(tmp_path / "a.npz", *keys, rgb=rgb, **named))
    theirs = probe.read(npz_files.save(tmp_path / "b.npz", *keys, **(named | {"rgb": -3 * rgb})))
    found = probe.accuracies(ours, theirs)
    assert found["source on itself"] == found["target on itself"] == 1
    assert found["source on target"] == 0
