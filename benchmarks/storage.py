"""How much room do frames and flow take, and how fast are they written and read?

    python -m benchmarks.storage --videos FOLDER [--count 10] [--pairs 30]

Clips spread over the folder's, with short side 256 (decode.resize crop, 224 px), as stages `decode`
and `flow` store them. Prints KiB a frame and a pair of frames, and those coded and decoded a second
by one thread.
"""

import argparse
import time
from pathlib import Path

from benchmarks.extraction import PLAN, decoder_of, listed, spread
from pipeline import clips, flow, lossless, stages
from pipeline.flow_extraction import FlowExtractor
from pipeline.video import Frames


def report(what: str, videos: list[Frames]) -> None:
    """Prints a line for the pictures of all videos."""
    count = sum(len(pictures) for pictures in videos)
    start = time.perf_counter()
    files = [lossless.encode(pictures, fps=25, note={}) for pictures in videos]
    coded = time.perf_counter()
    for content in files:
        lossless.decode(content)
    decoded = time.perf_counter()
    size = sum(map(len, files)) / count / 1024
    rates = f"{count / (coded - start):.0f} coded and {count / (decoded - coded):.0f} decoded"
    print(f"{what}: {count}, {size:.1f} KiB each, {rates} a second")


def main() -> None:
    """Prints a line for frames and one for flow."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.storage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=30, help="of each video, at most")
    options = parser.parse_args()
    flow.compile_ahead()
    frames, fields = list[Frames](), list[Frames]()
    for path in spread(options.videos, options.count):
        sampled = decoder_of(path, "crop")(listed(path))
        pairs = clips.plan(sampled.summary.frames, **PLAN.model_dump()).distinct_pairs
        frames.append(sampled.frames)
        extract = FlowExtractor("auto", 20)
        fields.append(extract(sampled.frames, sampled.numbers, pairs[: options.pairs]))
    report("frames", frames)
    report("pairs of flow", fields)


if __name__ == "__main__":
    stages.run(main)
