"""Which videos show the same scene, and how scenes are dealt out to domains and splits."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from pipeline.datasets.disk import shortened
from pipeline.errors import UserError

DomainName = Literal["source", "target"]
# share of a class's videos that each domain and split should get
SHARES: dict[tuple[DomainName, Literal["train", "test"]], float] = {
    ("source", "train"): 0.35,
    ("target", "train"): 0.35,
    ("source", "test"): 0.15,
    ("target", "test"): 0.15,
}


@dataclass(frozen=True)
class Dealt:
    """A video, <class>/<name>, and where its scene went."""

    video: str
    label: str
    scene: str
    domain: DomainName
    split: Literal["train", "test"]


def scene_of(video: str) -> str:
    """What stands before the class in <class>/<movie>_<class>_<codes>_<number>.<suffix>.

    Of a name of another form, all but its suffix, so that each video is a scene of its own.
    """
    path = PurePosixPath(video)
    found = re.fullmatch(rf"(.+)_{re.escape(path.parent.name)}_.+_\d+", path.stem)
    return found[1] if found else path.stem


def deal(videos: Sequence[str], seed: int) -> list[Dealt]:
    """Each video's domain and split, sorted by video; a scene is never in two of them.

    Scenes go, the large ones first and equal ones in an order drawn by the seed, to where they
    bring the classes nearest to `SHARES`; a scene with videos of several classes stays whole.

    Args:
        videos: <class>/<name> of each.
        seed: of the order.

    Raises:
        UserError: a class has too few scenes for two domains with two splits.
    """
    scenes: dict[str, list[str]] = {}
    for video in sorted(videos):
        scenes.setdefault(scene_of(video), []).append(video)
    total = Counter(map(_label, videos))
    held = {place: Counter[str]() for place in SHARES}
    dealt = []
    for scene in sorted(scenes, key=lambda name: (-len(scenes[name]), drawn(seed, name))):
        added = Counter(map(_label, scenes[scene]))
        place = min(SHARES, key=lambda p: _excess(held[p], added, total, SHARES[p]))
        held[place].update(added)
        dealt += [Dealt(video, _label(video), scene, *place) for video in scenes[scene]]
    _require_every_class(held, total)
    return sorted(dealt, key=lambda row: row.video)


def _label(video: str) -> str:
    return PurePosixPath(video).parent.name


def drawn(seed: int, name: str) -> bytes:
    """A key that sorts names in an order drawn by the seed."""
    return hashlib.sha256(f"{seed} {name}".encode()).digest()


def _excess(held: Counter[str], added: Counter[str], total: Counter[str], share: float) -> float:
    """How much a scene adds to the squared distance from a place's share of each class."""
    return sum(
        count * (2 * (held[label] - share * total[label]) + count) / (share * total[label])
        for label, count in added.items()
    )


def _require_every_class(
    held: dict[tuple[DomainName, Literal["train", "test"]], Counter[str]], total: Counter[str]
) -> None:
    faults = [
        f"{label}: none for {domain}, {split}"
        for label in sorted(total)
        for (domain, split), counts in held.items()
        if not counts[label]
    ]
    if faults:
        raise UserError(
            "expected scenes of every class for two domains with two splits; add videos of other "
            f"scenes, or leave classes out with --classes:\n{shortened(faults)}"
        )
