"""`predict` on the demo's videos in other containers and codecs, and on files that are no videos.

Needs the demo's model: `dvc repro` first. `pytest -s` shows what each form has changed.
"""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import films
import numpy as np
import pytest

from pipeline import params, paths, tables

ROOT = Path(__file__).parent.parent.parent
VIDEOS = 4
SURE = 0.75  # below it, what coding does to the pictures may tip the scales
H264 = {"codec_options": {"crf": "10"}}
FORMS: dict[str, dict[str, Any]] = {
    "h264.mp4": {**H264, "b_frames": 2},
    "hevc.mp4": {"codec": "libx265", "codec_options": {"x265-params": "log-level=none:crf=8"}},
    "mpeg4.avi": {"codec": "mpeg4", "codec_options": {"qscale": "2", "flags": "+qscale"}},
    "vp9.webm": {"codec": "libvpx-vp9", "codec_options": {"crf": "8", "b": "0", "cpu-used": "8"}},
    "h264.mov": H264,
    "mpeg2.mpg": {"codec": "mpeg2video", "codec_options": {"qmin": "2", "qmax": "2"}},
    "av1.mkv": {"codec": "libsvtav1", "codec_options": {"crf": "8", "preset": "8"}},
}
BAD = {"cut.mp4", "empty.mp4", "text.mp4", "sound.mp4", "half.avi"}


@pytest.fixture(scope="module")
def originals() -> list[Path]:
    """Test videos of the demo's target, of as many classes as there are."""
    predictions = ROOT / paths.RESULTS / "predictions.csv"
    if not predictions.exists():
        pytest.skip("no finished `dvc repro` here")
    rows = tables.read(predictions)
    raw = ROOT / paths.raw(params.load(ROOT / "params.yaml").task.target)
    keys = dict.fromkeys(row["key"] for row in rows if row["split"] == "test")
    by_class = {key.partition("/")[0]: raw / key for key in keys}
    return list(by_class.values())[:VIDEOS]


def again(original: Path, path: Path, coding: dict[str, Any]) -> Path:
    """The same pictures in another form."""
    with av.open(str(original)) as container:
        (stream,) = container.streams.video
        assert stream.average_rate is not None
        frames = container.decode(stream)
        pictures = [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in frames]
        fps = round(stream.average_rate)
    return films.write_pictures(path, pictures, fps=fps, **coding)


def write_bad(folder: Path, good: Path, avi: Path) -> None:
    """Files that cannot be used, under the names of BAD."""
    (folder / "cut.mp4").write_bytes(good.read_bytes()[:-2000])
    (folder / "half.avi").write_bytes(avi.read_bytes()[: avi.stat().st_size // 2])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("This is no video.\n")
    films.write_sound(folder / "sound.mp4")


def distance(one: dict[str, str], other: dict[str, str]) -> float:
    """Total variation of what is said of two videos, 0 to 1."""
    first, second = (
        {
            row[f"class_{place}"]: float(row[f"probability_{place}"])
            for place in range(1, len(row) // 2)
        }
        for row in (one, other)
    )
    return sum(abs(first[label] - second[label]) for label in first) / 2


def test_the_form_of_a_video_does_not_change_its_label(
    originals: list[Path], tmp_path: Path
) -> None:
    for original in originals:
        for form, coding in FORMS.items():
            again(original, tmp_path / f"{original.stem}.{form}", coding)
    stem = originals[0].stem
    write_bad(tmp_path, tmp_path / f"{stem}.h264.mp4", tmp_path / f"{stem}.mpeg4.avi")
    told = tmp_path / "said.csv"
    command = ["pipeline.predict", *map(str, originals), str(tmp_path), "--top", "99"]
    files = ["--csv", str(told), "--html", str(tmp_path / "said.html"), "--workers", "2"]
    done = subprocess.run(
        [sys.executable, "-m", *command, *files],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    bad = [line for line in done.stderr.splitlines() if line.startswith("  ")]
    assert {Path(line.split()[0]).name for line in bad} == BAD, done.stderr
    print(done.stderr)
    with told.open(newline="") as table:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(table)}
    assert len(rows) == len(originals) * (1 + len(FORMS))
    for original in originals:
        own = rows[original.name]
        for form in FORMS:
            other = rows[f"{original.stem}.{form}"]
            print(
                f"{original.stem} as {form}: {own['class_1']} {own['probability_1']}, "
                f"{other['class_1']} {other['probability_1']}, distance {distance(own, other):.4f}"
            )
            sure = float(own["probability_1"]) > SURE
            assert not sure or other["class_1"] == own["class_1"], f"{original.name} as {form}"
            assert distance(own, other) < 0.25, f"{original.name} as {form}"
