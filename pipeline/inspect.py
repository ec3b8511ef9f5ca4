"""Looks at videos before anything runs: what is there, what is wrong, what it will cost.

    python -m pipeline.inspect                    the source and the target of params.yaml
    python -m pipeline.inspect SOURCE TARGET      domains of params.yaml, or folders of videos
    python -m pipeline.inspect FOLDER

Reads headers and the first frame of each video; --measure takes a few videos through the stages to
estimate time and disk, and 0 leaves that out.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pipeline.stages
from pipeline import command_line, concerns, datasets, estimates, flow, params, paths, survey
from pipeline.datasets.class_maps import class_map
from pipeline.decoding import VideoDecoder
from pipeline.estimates import Stage
from pipeline.feature_extraction import Extract
from pipeline.flow_extraction import FlowExtractor
from pipeline.html import printable
from pipeline.survey import Header
from pipeline.video_clips import Streamed

SHOWN = 10  # faults that are told


@dataclass(frozen=True)
class Looked:
    """A domain, and what its files say."""

    name: str
    root: Path
    headers: Sequence[Header]
    faults: dict[str, str]


def look(name: str, p: params.Params) -> Looked:
    """Surveys a domain of params.yaml, or a folder laid out as dataset `folder`."""
    root, domain = paths.raw(name), p.domains.get(name)
    if domain is None:
        root, domain = Path(name), params.Domain(dataset="folder")
    classes = class_map(domain.classes, domain.dataset) if domain.classes else None
    listed = datasets.list_videos(domain.dataset, root, classes, domain.kitchen)
    kept = [video for video in listed if video.key not in domain.skip]
    return Looked(name, root, *survey.read(root, kept))


def describe(looked: Looked) -> str:
    """What there is, in some lines."""
    headers = looked.headers
    splits = Counter(header.listed.split for header in headers)
    classes = concerns.by_class(headers)
    lines = [
        f"{looked.name}  ({looked.root})",
        f"  {len(headers)} videos: {splits['train']} train, {splits['test']} test; "
        f"{classes.total()} with a label; {len(looked.faults)} that cannot be opened",
    ]
    if headers:
        lines += [
            f"  seconds {_range([h.seconds for h in headers])}; "
            f"frames a second {_counted([f'{h.fps:.3g}' for h in headers])}",
            f"  sizes {_counted([f'{h.width}x{h.height}' for h in headers])}; "
            f"codecs {_counted([h.codec for h in headers])}",
        ]
    if classes:
        told = ", ".join(f"{label} {count}" for label, count in sorted(classes.items()))
        lines.append(f"  {len(classes)} classes: {told}")
    lines += [f"  ! {key}: {why}" for key, why in sorted(looked.faults.items())[:SHOWN]]
    if len(looked.faults) > SHOWN:
        lines.append(f"  ! and {len(looked.faults) - SHOWN} more")
    return "\n".join(map(printable, lines))


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}, {median(values):.3g} in the median"


def _counted(values: Sequence[str]) -> str:
    most = Counter(values).most_common(4)
    told = ", ".join(f"{value} ({count})" for value, count in most)
    return told + (", others" if len(set(values)) > len(most) else "")


def estimate(domains: Sequence[Looked], p: params.Params, count: int) -> dict[str, Stage]:
    """What each stage will take for these domains together."""
    name = p.features.backbone
    if name == "imported":
        return {}
    used = flow.usable(p.flow.implementation)
    flow.compile_ahead(used)
    start = estimates.STARTS * estimates.start_up()
    stages: dict[str, list[Stage]] = {}
    for one in domains:
        decoder = VideoDecoder(one.root, p.clips, p.decode)
        source = Streamed(decoder, FlowExtractor(used, p.flow.bound))
        work = Extract(source, name, paths.backbone(name), p.features, "cpu")
        costs = estimates.measured(estimates.evenly(one.headers, count), work, source)
        for stage, cost in estimates.per_video(one.headers, costs, p, start).items():
            stages.setdefault(stage, []).append(cost)
    told = {stage: estimates.total(parts) for stage, parts in stages.items()}
    if len(domains) == 2:
        pairs = zip(("source", "target"), domains, strict=True)
        train = {role: _train(one) for role, one in pairs}
        classes = max(2, len(concerns.by_class(domains[0].headers)))
        told |= {
            stage: Stage(cost.seconds + start / 2)
            for stage, cost in estimates.of_training(train, classes, p).items()
        }
    return told


def _train(looked: Looked) -> int:
    return max(2, sum(header.listed.split == "train" for header in looked.headers))


def table(told: dict[str, Stage]) -> str:
    """The estimates, a line a stage."""
    rows = {**told, "together": estimates.total(list(told.values()))}
    return "\n".join(
        f"  {stage:9} {_time(cost.seconds):>10}  {_size(cost.disk):>9}"
        for stage, cost in rows.items()
    )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _size(disk: float) -> str:
    if not disk:
        return ""
    return f"{disk / 1e6:.1f} MB" if disk < 1e9 else f"{disk / 1e9:.1f} GB"


def main() -> None:
    """Prints what is there, warnings and estimates."""
    parser = command_line.parser("inspect", __doc__)
    parser.add_argument("domains", nargs="*", metavar="DOMAIN_OR_FOLDER")
    parser.add_argument("--measure", type=int, default=2, help="videos of each domain to try")
    options = parser.parse_args()
    p = params.load()
    of_task = [p.task.source, p.task.target]
    names = options.domains or [n for n in of_task if p.domains[n].dataset != "received"]
    if len(names) > 2:
        parser.error("name one domain or folder, or two: a source and a target")
    domains = [look(name, p) for name in names]
    for one in domains:
        print(describe(one), flush=True)
    warnings = [w for one in domains for w in concerns.of_domain(one.name, one.headers, one.faults)]
    if len(domains) == 2:
        warnings += concerns.of_pair(domains[0].headers, domains[1].headers)
    print("warnings:" if warnings else "no warnings")
    for warning in warnings:
        print(f"  {printable(warning)}")
    if options.measure and all(one.headers for one in domains):
        told = estimate(domains, p, options.measure)
        print(f"estimates for this machine, from {options.measure} videos of each, within about 2x")
        print(table(told))


if __name__ == "__main__":
    pipeline.stages.run(main, "interrupted: it has changed nothing")
