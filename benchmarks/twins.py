"""Corrupted twins of real videos: two domains with other clips of the same classes.

    python -m benchmarks.twins VIDEOS WORK [--classes jump run ...] [--per-class 90]
        [--strength 2] [--seed 0] [--extract 'my_extractor {videos} {out}'] [--raw data/raw]

VIDEOS holds <class>/<video>. Clips of one scene (`scenes.scene_of`) go to one domain and one split.
WORK gets source/ and target/ with <class>/<video> and videos.csv (video, label, split), which is a
`dataset: folder` as it stands; the target's videos are corrupted (`corruption.corrupt`), at
strength 0 not at all. The command of --extract is run on each of the two folders; {out} is the .npz
file to write, with the arrays key (n,) such as walk/a.avi, rgb and flow (n, T, d). RAW then gets
twins_source/features.npz and twins_target/features.npz for `dataset: imported`.

What stands in WORK already is kept, so that a run that was ended goes on; a WORK made with other
settings is refused.
"""

import argparse
import functools
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchmarks import corruption, twin_features
from benchmarks.scenes import Dealt, deal, drawn
from pipeline import engine, tables
from pipeline.atomic import write_file
from pipeline.datasets.disk import folders_in, shortened, videos_in
from pipeline.errors import UserError

STRENGTH = 2.0  # at which a linear probe loses 20 points, docs/benchmark.md


@dataclass(frozen=True)
class Settings:
    """What decides the videos of a work folder, beside the videos they are made of."""

    classes: tuple[str, ...]
    per_class: int
    strength: float
    seed: int


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--classes", nargs="+", help="folders to take; all, if left out")
    parser.add_argument("--per-class", type=int, default=90, help="videos, drawn by the seed")
    parser.add_argument("--strength", type=float, default=STRENGTH, help="0 to 5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--extract", help="a command with {videos} and {out}")
    parser.add_argument("--raw", type=Path, default=Path("data/raw"))
    return parser.parse_args(words)


def make_videos(videos: Path, work: Path, settings: Settings) -> list[Dealt]:
    """Fills WORK/source and WORK/target; returns the videos as they stand there.

    Raises:
        UserError: settings out of range or not those of `work`; a class without videos or with too
            few scenes; videos that cannot be decoded.
    """
    if not 0 <= settings.strength <= corruption.STRONGEST:
        raise UserError(
            f"--strength: expected 0 to {corruption.STRONGEST:g}, found {settings.strength:g}"
        )
    dealt = deal(_chosen(videos, settings), settings.seed)
    _claim(work, settings)
    failures = engine.run(functools.partial(_make, videos, work, settings), dealt, label="twins")
    if failures:
        faults = [f"{failure.item.video}: {failure.reason}" for failure in failures]
        raise UserError(f"{videos}: {len(faults)} videos failed:\n{shortened(faults)}")
    made = [_as_made(row, settings) for row in dealt]
    for domain in ("source", "target"):
        rows = [
            {"video": row.video, "label": row.label, "split": row.split}
            for row in made
            if row.domain == domain
        ]
        tables.write(work / domain / "videos.csv", rows)
    return made


def _chosen(videos: Path, settings: Settings) -> list[str]:
    """The videos to take, <class>/<name>."""
    found = []
    for label in settings.classes:
        names = [f"{label}/{name}" for name in videos_in(videos / label)]
        if not names:
            raise UserError(f"{videos / label}: expected videos of the class, found none")
        found += sorted(names, key=lambda name: drawn(settings.seed, name))[: settings.per_class]
    return found


def _claim(work: Path, settings: Settings) -> None:
    """Notes the settings in the work folder. Raises UserError if it has others."""
    path, text = work / "settings.json", json.dumps(vars(settings), indent=1)
    if path.exists() and path.read_text() != text:
        raise UserError(
            f"{path}: the folder was made with other settings; name another, or remove it"
        )
    write_file(path, text)


def _as_made(row: Dealt, settings: Settings) -> Dealt:
    """The video under its name in the work folder."""
    if row.domain == "source" or settings.strength == 0:
        return row
    name = PurePosixPath(row.video).with_suffix(".mp4").as_posix()
    return Dealt(name, row.label, row.scene, row.domain, row.split)


def _make(videos: Path, work: Path, settings: Settings, row: Dealt) -> None:
    made = _as_made(row, settings)
    out = work / row.domain / made.video
    if out.exists():
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    # beside the folders of videos: the extractor must never meet half a video
    aside = work / "partial" / row.domain / made.video
    aside.parent.mkdir(parents=True, exist_ok=True)
    if row.domain == "source" or settings.strength == 0:
        shutil.copyfile(videos / row.video, aside)
    else:
        strength, seed = settings.strength, settings.seed
        corruption.corrupt(videos / row.video, aside, strength=strength, seed=seed, key=row.video)
    aside.replace(out)


def describe(made: Iterable[Dealt]) -> str:
    """How many videos, classes and scenes each domain and split has."""
    lines = []
    places = sorted({(row.domain, row.split) for row in made})
    for place in places:
        rows = [row for row in made if (row.domain, row.split) == place]
        scenes, classes = {row.scene for row in rows}, {row.label for row in rows}
        counts = f"{len(rows)} videos, {len(classes)} classes, {len(scenes)} scenes"
        lines.append(f"{' '.join(place)}: {counts}")
    return "\n".join(lines)


def main() -> None:
    options = arguments()
    try:
        classes = options.classes or [path.name for path in folders_in(options.videos)]
        chosen = Settings(tuple(classes), options.per_class, options.strength, options.seed)
        made = make_videos(options.videos, options.work, chosen)
        print(describe(made))
        if options.extract:
            twin_features.write(options.extract, options.work, options.raw, made)
    except UserError as fault:
        sys.exit(str(fault))


if __name__ == "__main__":
    main()
