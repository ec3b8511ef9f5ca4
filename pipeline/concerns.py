"""What a person should know of two sets of videos before anything runs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from pipeline.survey import Header, near_duplicates

FEW = 5  # training videos of a class
UNEVEN = 10  # videos of the largest class for one of the smallest
APART = 3  # times as long, or as many frames a second
SHOWN = 5


def of_domain(name: str, headers: Sequence[Header], faults: Mapping[str, str]) -> list[str]:
    """Warnings about one domain."""
    told = []
    if faults:
        told.append(f"{name}: {len(faults)} videos cannot be opened")
    short = [header.listed.key for header in headers if header.frames < 2]
    if short:
        told.append(f"{name}: {_some(short)} of one frame only, which show no motion")
    for split in ("train", "test"):
        if headers and not any(header.listed.split == split for header in headers):
            told.append(f"{name}: no {split} video")
    counts = by_class(headers, "train")
    few = sorted(label for label, count in counts.items() if count < FEW)
    if few:
        told.append(f"{name}: fewer than {FEW} training videos of {_some(few)}")
    if counts and max(counts.values()) > UNEVEN * min(counts.values()):
        told.append(
            f"{name}: classes are uneven, {min(counts.values())} to {max(counts.values())} "
            "training videos; adaptation supposes about the source's frequencies"
        )
    return told


def of_pair(source: Sequence[Header], target: Sequence[Header]) -> list[str]:
    """Warnings about a source and a target together."""
    told = []
    ours, theirs = set(by_class(source)), set(by_class(target))
    if not ours:
        told.append("the source has no labels; it cannot be learnt from")
    if theirs:
        for whose, missing in (("target", ours - theirs), ("source", theirs - ours)):
            if missing:
                told.append(f"not in the {whose}: {_some(sorted(missing))}")
        if ours and len(ours & theirs) < 2:
            told.append("source and target share fewer than 2 classes; task.classes needs them")
    for what, values in (
        ("durations", [[header.seconds for header in part] for part in (source, target)]),
        ("frame rates", [[header.fps for header in part] for part in (source, target)]),
    ):
        low, high = sorted(median(part) if part else 0.0 for part in values)
        if low > 0 and high > APART * low:
            told.append(f"{what} differ: {low:.3g} and {high:.3g} in the median")
    pairs = near_duplicates(source, target)
    if pairs:
        alike = [f"{one} and {other}" for one, other in pairs]
        told.append(f"perhaps the same video in source and target: {_some(alike)}")
    return told


def by_class(headers: Sequence[Header], split: str | None = None) -> Counter[str]:
    """How many videos each class has."""
    return Counter(
        header.listed.label
        for header in headers
        if header.listed.label is not None and split in (None, header.listed.split)
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
