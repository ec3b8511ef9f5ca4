"""The rendered demo: bodies, motions, looks, files."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from films import inspect

from pipeline.demo.background import Image
from pipeline.demo.figure import JOINT, LIFT, Build, joints
from pipeline.demo.motions import ACTIONS, Manner, draw_manner, keyed
from pipeline.demo.render import draw_actor, film, move_camera
from pipeline.demo.style import STREET, STUDIO, Style
from pipeline.demo.write import DOMAINS, DomainName, render_domain
from pipeline.errors import UserError
from pipeline.video import Section

TIME = np.arange(40) / 25
BONES = {
    ("neck", "pelvis"): Build().torso,
    ("shoulder_left", "elbow_left"): Build().upper_arm,
    ("elbow_right", "hand_right"): Build().forearm,
    ("hip_left", "knee_left"): Build().thigh,
    ("knee_right", "ankle_right"): Build().shin,
    ("ankle_left", "toe_left"): Build().foot,
    ("hip_left", "hip_right"): 2 * Build().hips,
}


def manner(seed: int = 0) -> Manner:
    return draw_manner(np.random.default_rng(seed))


def clip(action: str, style: Style, seed: int = 0) -> list[Image]:
    short = replace(style, frames=(6, 8))
    return list(film(ACTIONS[action], short, np.random.default_rng(seed)))


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[DomainName, Path]:
    """Both domains with one video for training and one for testing per class."""
    root = tmp_path_factory.mktemp("demo")
    for name in DOMAINS:
        render_domain(name, root / name, seed=3, train_per_class=1, test_per_class=1)
    return {name: root / name for name in DOMAINS}


@pytest.mark.parametrize("action", ACTIONS)
def test_no_motion_stretches_a_bone(action: str) -> None:
    at = joints(ACTIONS[action](TIME, manner()), Build())
    for (start, end), length in BONES.items():
        found = np.linalg.norm(at[:, JOINT[start]] - at[:, JOINT[end]], axis=1)
        np.testing.assert_allclose(found, length, rtol=1e-9)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_lowest_joint_is_as_high_as_the_motion_says(action: str) -> None:
    pose = ACTIONS[action](TIME, manner())
    lowest = joints(pose, Build())[:, :, 2].min(axis=1)
    np.testing.assert_allclose(lowest, pose.root[:, LIFT], atol=1e-12)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_motion_keeps_going(action: str) -> None:
    still = replace(manner(), speed=0.0, fidget=np.zeros(3))
    at = joints(ACTIONS[action](TIME, still), Build())
    for second in (slice(0, 20), slice(20, 40)):
        assert np.ptp(at[second], axis=0).max() > 0.1


def test_only_jumping_and_running_leave_the_ground() -> None:
    airborne = {
        name for name, act in ACTIONS.items() if act(TIME, manner()).root[:, LIFT].max() > 0
    }
    assert airborne == {"jump", "run"}


def test_a_phase_is_a_delay() -> None:
    early, late = replace(manner(), phase=0.1, tempo=1.0), replace(manner(), phase=0.35, tempo=1.0)
    delay = 0.25 / 0.95  # a quarter of a stride
    legs = ACTIONS["walk"](TIME + delay, early).legs
    np.testing.assert_allclose(legs, ACTIONS["walk"](TIME, late).legs, atol=1e-9)


def test_keyed_values_are_met_and_come_back() -> None:
    cycle = np.array([0.1, 0.4, 0.7, 1.1, -0.6, 0.25])
    expected = [2.0, 5.0, -1.0, 2.0, 5.0, 3.5]
    np.testing.assert_allclose(keyed(cycle, at10=2.0, at40=5.0, at70=-1.0), expected, atol=1e-9)


@pytest.mark.parametrize("style", [STUDIO, STREET], ids=["studio", "street"])
def test_frames_have_the_size_and_number_of_the_style(style: Style) -> None:
    frames = clip("kick", style)
    assert 6 <= len(frames) <= 8
    assert {frame.shape for frame in frames} == {(style.height, style.width, 3)}
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("style", [STUDIO, STREET], ids=["studio", "street"])
def test_equal_random_numbers_give_equal_frames(style: Style) -> None:
    first, again, other = clip("run", style), clip("run", style), clip("run", style, seed=1)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0].astype(int) - other[0]).mean() > 1


def test_clothes_and_place_do_not_depend_on_the_action() -> None:
    people = [draw_actor(act, STREET, np.random.default_rng(5), TIME) for act in ACTIONS.values()]
    assert len({person.clothes for person in people}) == 1
    assert len({person.scale for person in people}) == 1
    corners = [clip(action, STUDIO)[0][:40, :40] for action in ACTIONS]
    for corner in corners[1:]:
        np.testing.assert_array_equal(corner, corners[0])


def test_the_studio_camera_stands_still_and_the_street_camera_does_not() -> None:
    for style, moves in ((STUDIO, False), (STREET, True)):
        views = move_camera(style, np.random.default_rng(0), TIME, np.zeros(len(TIME)))
        assert (np.ptp(views, axis=0).max() > 0.5) == moves


@pytest.mark.parametrize("name", DOMAINS)
def test_the_listing_names_every_file_once(small: dict[DomainName, Path], name: DomainName) -> None:
    folder, suffix = small[name], DOMAINS[name].encoding.suffix
    rows = (folder / "videos.csv").read_text().splitlines()
    assert rows[0] == "video,label,split"
    expected = [
        f"{label}/{label}_{split}_000{suffix},{label},{split}"
        for label in ACTIONS
        for split in ("train", "test")
    ]
    assert rows[1:] == expected
    assert set(files_below(folder)) == {row.split(",")[0] for row in rows[1:]} | {"videos.csv"}


@pytest.mark.parametrize(("name", "codec"), [("studio", "h264"), ("street", "mpeg4")])
def test_files_are_whole_videos_of_the_domain(
    small: dict[DomainName, Path], name: DomainName, codec: str
) -> None:
    style = DOMAINS[name].style
    path = small[name] / f"wave/wave_test_000{DOMAINS[name].encoding.suffix}"
    summary = inspect(Section(path))
    assert style.frames[0] <= summary.frames <= style.frames[1]
    assert (summary.damaged, summary.fps) == (0, style.fps)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.width, context.height) == (codec, style.width, style.height)


def test_several_processes_and_more_videos_change_no_byte(
    small: dict[DomainName, Path], tmp_path: Path
) -> None:
    more = tmp_path / "studio"
    render_domain("studio", more, seed=3, workers=2, train_per_class=2, test_per_class=0)
    made, known = files_below(more), files_below(small["studio"])
    videos = [f"{label}/{label}_train_000.mp4" for label in ACTIONS]
    assert {path: made[path] for path in videos} == {path: known[path] for path in videos}
    assert len(made) == 2 * len(ACTIONS) + 1


def test_another_seed_makes_other_videos(small: dict[DomainName, Path], tmp_path: Path) -> None:
    render_domain("street", tmp_path / "street", seed=4, train_per_class=1, test_per_class=0)
    path = "walk/walk_train_000.avi"
    assert (tmp_path / "street" / path).read_bytes() != (small["street"] / path).read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="is not empty"):
        render_domain("studio", tmp_path, train_per_class=1, test_per_class=0)
    assert files_below(tmp_path) == {"mine.txt": b"precious"}


def test_leftovers_of_an_interrupted_run_do_not_get_in(
    small: dict[DomainName, Path], tmp_path: Path
) -> None:
    leftover = tmp_path / ".studio.partial" / "jump"
    leftover.mkdir(parents=True)
    (leftover / "half.mp4").write_bytes(b"half")
    render_domain("studio", tmp_path / "studio", seed=3, train_per_class=1, test_per_class=0)
    assert set(files_below(tmp_path / "studio")) < set(files_below(small["studio"]))
    assert [path.name for path in tmp_path.iterdir()] == ["studio"]
