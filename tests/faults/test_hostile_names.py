"""Names that a shell, FFmpeg, YAML or a terminal could take for something else stay names."""

import os
from pathlib import Path

import films
import pytest
import yaml
from workspace import Workspace, new_workspace

from pipeline import index, paths, shards, store

NAMES = [
    *("-rf.mp4", "--help.mp4", "http:--x.mp4", "concat:a|b.mp4", "file:a.mp4", "a%03d.mp4"),
    *("$(touch executed).mp4", "`touch executed`.mp4", "a; touch executed.mp4", "a' b\".mp4"),
    *("line\nbreak.mp4", "tab\t.mp4", "\x1b[2J\x07.mp4", "\x7f.mp4", "\u2028.mp4", "\x85.mp4"),
    *("é.mp4", "e\u0301.mp4", "É.mp4", "\u202egnp.mp4", "\ufeffa.mp4", "x" * 251 + ".mp4"),
    *("=cmd()'!A1.mp4", "<script>alert(1)<", "*?[a].mp4", "#1.mp4", "a,b.mp4", " .mp4", "~.mp4"),
]
VIDEOS = [name if name.endswith(".mp4") else f"{name}.mp4" for name in NAMES]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("names") / "project"
    domains = {name: {"dataset": "folder"} for name in ("lab", "yard")}
    task = {"source": "lab", "target": "yard", "classes": None}
    project = new_workspace(folder, domains=domains, task=task)
    film = films.write(folder.parent / "film.mp4", 12).read_bytes()
    for number, name in enumerate(VIDEOS):
        place = folder / "data/raw/lab" / ("-rf" if number % 2 else "$(touch executed)")
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(film)
    return project


def test_videos_of_any_name_become_features(project: Workspace) -> None:
    printed = project.run("dvc", "repro", "features@lab")
    listed = index.read_videos(project.folder / paths.videos("lab"))
    assert {Path(video.key).name for video in listed} == set(VIDEOS)
    assert len(listed) == len(VIDEOS)
    keys = {video.key for video in listed}
    assert set(shards.Shards(project.folder / paths.frames("lab")).fingerprints) == keys
    assert set(store.load(project.folder / paths.features("lab")).keys) == keys
    assert "\x1b[2J" not in printed
    assert not list(project.folder.rglob("executed"))


def test_the_lines_that_leave_a_broken_video_out_can_be_pasted(project: Workspace) -> None:
    for path in (project.folder / "data/raw/lab").glob("*/*"):
        path.write_bytes(b"no video")
    printed = project.run("dvc", "repro", "features@lab", check=False)
    assert "\x1b[2J" not in printed
    text = printed[printed.index("  domains:") : printed.index("ERROR: failed")]
    skipped = yaml.safe_load(text)["domains"]["lab"]["skip"]
    assert {Path(key).name for key in skipped} == set(VIDEOS)


@pytest.mark.parametrize("name", ["a; touch executed", "$(touch executed)", "../../outside", "-rf"])
def test_a_domain_s_name_is_never_a_command_or_a_way_out(name: str, project: Workspace) -> None:
    before = {os.fspath(path) for path in project.folder.parent.rglob("executed")}
    task = {"source": name, "target": "yard", "classes": None}
    project.set_params(task=task, domains={name: {"dataset": "folder"}})
    (project.folder / "data/raw" / name).resolve().mkdir(parents=True, exist_ok=True)
    printed = project.run("dvc", "repro", check=False)
    assert "a domain's name has letters, digits, - and _ only" in printed or "ERROR" in printed
    assert not {os.fspath(p) for p in project.folder.parent.rglob("executed")} - before
