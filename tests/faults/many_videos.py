"""What a video costs among 100, 1,000 and 10,000, and what memory all of it takes, under DVC.

    PYTHONPATH=.:tests python -m faults.many_videos 100 1000 10000

Makes so many short videos (3 frames, 64 x 64), runs the stages from index to features one by one,
and prints for each: seconds of wall and of processors a video, the same beyond the smallest number
of videos, where starting Python and DVC counts no more, and the most memory that any process of a
kind, and all together, have held. Then `dvc status`, and a `dvc repro` that has nothing to do.
"""

import argparse
import resource
import struct
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import films
from faults.project import CLASSES, new_project, raw
from workspace import Workspace

KINDS = 200  # films that are encoded; the others are these with another number at their end
FRAMES = 3
SECTIONS = {
    "engine": {"workers": 2},
    "clips": {"segments": 1, "windows": 1, "frames": 8, "sampling": "spread"},
    "decode": {"size": 32, "resize": "squash"},
}
STAGES = ("index", "decode", "flow", "features")


def make(folder: Path, count: int) -> None:
    """Videos in a folder a class, no two files alike."""
    with tempfile.TemporaryDirectory() as name:
        kinds = [
            films.write_pictures(
                Path(name) / f"{kind}.mp4",
                [films.numbered(19 * kind + step, (64, 64)) for step in range(FRAMES)],
            ).read_bytes()
            for kind in range(min(KINDS, count))
        ]
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        mark = struct.pack(">I4sQ", 16, b"free", number)  # an empty box, which players pass over
        path = folder / CLASSES[number % 3] / f"{number:05d}.mp4"
        path.write_bytes(kinds[number % len(kinds)] + mark)


@dataclass
class Watch:
    """The memory of processes that this one has started, by what they are, in MB at most."""

    peaks: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Watch":
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        me = Path("/proc/self").resolve()
        while not self._over.wait(0.2):
            shares = 0.0
            for process in _below(me):
                try:
                    kind, most, share = _kind(process), *_memory(process)
                except (OSError, ValueError):
                    continue  # it has ended
                self.peaks[kind] = max(self.peaks[kind], most)
                shares += share
            self.peaks["together"] = max(self.peaks["together"], round(shares))


def _below(process: Path) -> list[Path]:
    try:
        listed = (process / "task" / process.name / "children").read_text().split()
    except OSError:
        return []
    children = [process.parent / child for child in listed]
    return children + [below for child in children for below in _below(child)]


def _kind(process: Path) -> str:
    command = (process / "cmdline").read_bytes()
    if b"multiprocessing" in command:
        return "worker"
    return "stage" if b"pipeline.stages" in command else "dvc"


def _memory(process: Path) -> tuple[int, float]:
    """MB: the most that was resident, and its share of what is resident now."""
    status = (process / "status").read_text().splitlines()
    (most,) = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    rollup = (process / "smaps_rollup").read_text().splitlines()
    (share,) = [int(line.split()[1]) for line in rollup if line.startswith("Pss:")]
    return most // 1024, share / 1024


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    wall: float
    cpu: float
    peaks: dict[str, int]


def measured(workspace: Workspace, *command: str) -> Cost:
    """Runs a command under watch."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    with Watch() as watch:
        workspace.run(*command)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, dict(watch.peaks))


def commands() -> dict[str, list[str]]:
    """What is measured: all stages, and DVC when there is nothing to do."""
    single = {stage: ["dvc", "repro", "--single-item", f"{stage}@yard"] for stage in STAGES}
    return {
        **single,
        "dvc status": ["dvc", "status", "features@yard"],
        "dvc repro, nothing to do": ["dvc", "repro", "features@yard"],
    }


def main() -> None:
    """Prints a line a number of videos and command."""
    parser = argparse.ArgumentParser(
        prog="python -m faults.many_videos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("videos", type=int, nargs="+")
    parser.add_argument("--folder", type=Path, default=None, help="where to work")
    options = parser.parse_args()
    least = min(options.videos)
    first = dict[str, Cost]()
    for count in sorted(options.videos):
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            workspace = new_project(Path(name) / "project", videos=0, **SECTIONS)
            make(raw(workspace), count)
            for what, command in commands().items():
                cost = measured(workspace, *command)
                first.setdefault(what, cost)
                print(line(count, what, cost, least, first), flush=True)


def line(count: int, what: str, cost: Cost, least: int, costs: dict[str, Cost]) -> str:
    """One line of the answer."""
    held = ", ".join(f"{kind} {megabytes}" for kind, megabytes in sorted(cost.peaks.items()))
    if what not in STAGES:
        return f"{count:6d} videos  {what}: {cost.wall:.1f} s, {cost.cpu:.1f} s of CPU; MB: {held}"
    wall, cpu = 1000 * cost.wall / count, 1000 * cost.cpu / count
    each = f"{wall:.1f} ms of wall, {cpu:.1f} ms of CPU a video"
    if count > least:
        wall = 1000 * (cost.wall - costs[what].wall) / (count - least)
        cpu = 1000 * (cost.cpu - costs[what].cpu) / (count - least)
        each += f"; beyond the first {least}, {wall:.1f} and {cpu:.1f} ms"
    return f"{count:6d} videos  {what}: {each}; MB at most: {held}"


if __name__ == "__main__":
    main()
