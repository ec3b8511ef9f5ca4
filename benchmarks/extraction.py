"""How much faster do features come out of videos than the plain way, and how near to the limits?

    python -m benchmarks.extraction --videos FOLDER [--count 40] [--plain 4] [--resize squash crop]

Videos spread over the folder's go from file to two-stream I3D features (random weights, seeded), by
stage `features` with features.stream, and by `plain_extraction`: the same frames, the same
parameters, a process a core, one thread each. The plain way takes so long that --plain N measures
it on fewer of the videos; the ratio is of seconds per video on the same ones. Beside it stand wall
and CPU time of all, the peak memory of the largest process after 10 videos and after all, and for
each part, seconds a video and how near it comes to its limit: decoding alone, the flow kernel
alone, and the matrix products that this machine can do.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks import limits, plain_extraction
from benchmarks.clock import Clock
from pipeline import backbones, clips, engine, flow, params, stages
from pipeline.decoding import VideoDecoder
from pipeline.feature_extraction import Extract
from pipeline.flow_extraction import FlowExtractor
from pipeline.index import Video
from pipeline.per_video import Job
from pipeline.video import Resize
from pipeline.video_clips import Streamed

SIZE = 224
PLAN = params.Clips(segments=5, windows=1, frames=16, sampling="spread")
SUFFIXES = {".avi", ".mp4", ".mkv"}
PLAIN = {
    "decode": (plain_extraction, "decode"),
    "flow": (plain_extraction, "flow_codes"),
    "I3D": (plain_extraction, "features"),
}


@dataclass
class Measured:
    """What a way took: wall and CPU seconds of all, and a video's seconds by part."""

    wall: float = 0
    cpu: float = 0
    megabytes: list[int] = field(default_factory=list)  # peak of a process, after each video
    parts: dict[Path, dict[str, float]] = field(default_factory=dict)

    def seconds(self, videos: list[Path], part: str | None = None) -> float:
        """Mean seconds of a process for one of these videos, in all or in a part."""
        rows = [self.parts[path] for path in videos]
        return sum(sum(row.values()) if part is None else row[part] for row in rows) / len(rows)


def listed(path: Path) -> Video:
    return Video(path.name, path.name, None, None, "test", sha256="")


def decoder_of(path: Path, resize: Resize) -> VideoDecoder:
    return VideoDecoder(path.parent, PLAN, params.Decode(size=SIZE, resize=resize))


def ours(path: Path, weights: Path, resize: Resize) -> tuple[dict[str, float], int]:
    source = Streamed(decoder_of(path, resize), FlowExtractor("auto", 20))
    features = params.Features(backbone="i3d", precision="float32")
    work, clock = Extract(source, "i3d", weights, features, "cpu"), Clock()
    with clock.watching():
        clock.timed("other", work)(Job(listed(path), ""))
    return dict(clock.seconds), peak()


def plain(path: Path, weights: Path, resize: Resize) -> tuple[dict[str, float], int]:
    clock = Clock()
    with clock.watching(PLAIN):
        extract = clock.timed("other", plain_extraction.extract)
        extract(path, weights, PLAN.model_dump(), SIZE, resize)
    return dict(clock.seconds), peak()


def peak() -> int:
    """Megabytes that this process has held at most; getrusage would count its parent's too."""
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) // 1024 for row in rows if row.startswith("VmHWM"))


def measured(work: Callable[[Path], Any], videos: list[Path], label: str) -> Measured:
    """Work on all videos, a process a core, from the start of the first to the end of the last."""
    result, failures = Measured(), list[engine.Failure[Path]]()
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for path, (parts, megabytes) in engine.results(work, videos, failures, label=label):
        result.parts[path] = parts
        result.megabytes.append(max([megabytes, *result.megabytes[-1:]]))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result.wall = time.perf_counter() - start
    result.cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    if failures:
        raise SystemExit(f"{failures[0].item}: {failures[0].reason}")
    return result


def random_weights(folder: Path) -> Path:
    """Weights files of I3D whose features neither vanish nor explode."""
    torch.manual_seed(0)
    for stream in ("rgb", "flow"):
        model = backbones.build("i3d", stream)
        for module in model.modules():
            if isinstance(module, torch.nn.Conv3d):
                torch.nn.init.kaiming_normal_(module.weight)
        save_file(model.state_dict(), folder / f"{stream}.safetensors")
    return folder


def bounds(videos: list[Path], resize: Resize) -> dict[str, float]:
    """Seconds a video that the parts cannot fall below."""
    decode, kernel = list[float](), list[float]()
    for path in videos:
        sampled = decoder_of(path, resize)(listed(path))
        pairs = clips.plan(sampled.summary.frames, **PLAN.model_dump()).distinct_pairs
        decode.append(limits.decoding(path))
        kernel.append(limits.flow_kernel(sampled.frames, sampled.numbers, pairs))
    i3d = limits.convolutions(PLAN.segments * PLAN.windows, PLAN.frames, SIZE)
    return {"decode": fmean(decode), "flow": fmean(kernel), "I3D": i3d}


def compare(videos: list[Path], fewer: list[Path], resize: Resize, weights: Path) -> None:
    """Prints what both ways took."""
    fast = measured(partial(ours, weights=weights, resize=resize), videos, f"ours {resize}")
    slow = measured(partial(plain, weights=weights, resize=resize), fewer, f"plain {resize}")
    print(f"{resize}, {SIZE} px: {len(videos)} videos ours, {len(fewer)} of them the plain way")
    for name, way in (("ours", fast), ("plain", slow)):
        count = len(way.parts)
        print(
            f"  {name}: wall {way.wall:.1f} s, CPU {way.cpu:.1f} s, so "
            f"{way.cpu / way.wall:.2f} cores busy; {way.wall / count:.2f} s of wall a video; peak "
            f"{way.megabytes[min(10, count) - 1]} MB after {min(10, count)} videos, "
            f"{way.megabytes[-1]} MB after all"
        )
    low = bounds(fewer, resize)
    for part in ("decode", "resize", "flow", "I3D", "other"):
        spent = fast.seconds(fewer, part)
        plain_spent = f"plain {slow.seconds(fewer, part):7.3f} s" if part in PLAIN else ""
        limit = f"limit {low[part]:6.3f} s, {low[part] / spent:4.0%} of it" if part in low else ""
        print(f"  {part:7} ours {spent:7.3f} s  {plain_spent:15}  {limit}")
    both = fast.seconds(fewer), slow.seconds(fewer)
    print(
        f"  on the same {len(fewer)} videos: {both[0]:.2f} s a video and process against "
        f"{both[1]:.2f} s, {both[1] / both[0]:.1f} times as fast",
        flush=True,
    )


def spread(folder: Path, count: int) -> list[Path]:
    """Videos spread over the folder's, in the order of their names."""
    videos = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if not videos:
        raise SystemExit(f"{folder}: no .avi, .mp4 or .mkv file in it")
    chosen = np.linspace(0, len(videos) - 1, min(count, len(videos))).round().astype(int)
    return [videos[number] for number in chosen]


def main() -> None:
    """Prints a comparison for each way to resize."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.extraction",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--plain", type=int, default=4, help="videos that the plain way does")
    parser.add_argument("--resize", nargs="+", choices=["squash", "crop"], default=["squash"])
    options = parser.parse_args()
    videos = spread(options.videos, options.count)
    few = np.linspace(0, len(videos) - 1, min(options.plain, len(videos))).round().astype(int)
    flow.compile_ahead()
    with tempfile.TemporaryDirectory() as folder:
        weights = random_weights(Path(folder))
        for resize in options.resize:
            compare(videos, [videos[number] for number in few], resize, weights)


if __name__ == "__main__":
    stages.run(main)
