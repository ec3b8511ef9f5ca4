"""Three hours of 4K: the memory of a process stays what it is for 200 frames.

HOURS and RATE in the environment make it longer or shorter: all frames have to be decoded.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from faults.long_films import repeated
from workspace import ROOT

HOURS = float(os.environ.get("HOURS", "3"))
RATE = int(os.environ.get("RATE", "1"))  # frames a second
MEASURE = """
import sys
from pathlib import Path
from pipeline import params
from pipeline.decoding import VideoDecoder
from pipeline.index import Video
path = Path(sys.argv[1])
clips = params.Clips(segments=5, windows=1, frames=16, sampling="spread")
decoder = VideoDecoder(path.parent, clips, params.Decode(size=224, resize="squash"))
sampled = decoder(Video(path.name, path.name, None, None, "train", ""))
[peak] = [row for row in Path("/proc/self/status").open() if row.startswith("VmHWM")]
print(sampled.summary.frames, len(sampled.frames), int(peak.split()[1]) // 1024)
"""


def decoded(path: Path) -> tuple[int, int, int]:
    """Frames of a film, frames that its clips need, and the megabytes that took at most."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], cwd=ROOT,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    frames, wanted, megabytes = map(int, done.stdout.split())
    return frames, wanted, megabytes


def test_three_hours_take_the_memory_of_some_minutes(tmp_path: Path) -> None:
    size = (3840, 2160)
    minutes = repeated(tmp_path / "minutes.mp4", hours=200 / RATE / 3600, size=size, fps=RATE)
    hours = repeated(tmp_path / "hours.mp4", hours=HOURS, size=size, fps=RATE)
    _, wanted, short = decoded(minutes)
    begun = time.monotonic()
    frames, also_wanted, long = decoded(hours)
    print(
        f"{HOURS:g} hours, {size[0]} x {size[1]}, {RATE} frames/s, {frames} frames, "
        f"{hours.stat().st_size / 1e6:.0f} MB: {long} MB at most, {short} MB for the short one; "
        f"{time.monotonic() - begun:.0f} s"
    )
    assert frames == HOURS * 3600 * RATE
    assert wanted == also_wanted == 160
    assert long < short + 60
