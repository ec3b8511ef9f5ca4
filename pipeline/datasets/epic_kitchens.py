"""EPIC-Kitchens-55 in MM-SADA's three kitchens: D1 (P08), D2 (P01), D3 (P22), eight verbs.

Lists: `<kitchen>_train.pkl` and `<kitchen>_test.pkl` of the public MM-SADA splits, in the root or
in a folder directly below. They are pickled tables, read by `old_pandas` and never executed.
Each row is one segment: uid, participant_id, video_id, start_timestamp, stop_timestamp,
verb_class (0 to 7). Videos: `<video_id>.MP4` anywhere below the root, as in
`videos/train/P08/P08_01.MP4`.

The MTRAN paper exchanges the names D1 and D2, and uses other test sets.

Munro and Damen, "Multi-Modal Domain Adaptation for Fine-Grained Action Recognition", CVPR 2020.
Damen et al., "Scaling Egocentric Vision: The EPIC-KITCHENS Dataset", ECCV 2018.
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.datasets import counts
from pipeline.datasets.counts import VERBS, Kitchen
from pipeline.datasets.disk import videos_below
from pipeline.datasets.listing import Listed, Split
from pipeline.datasets.official import places, wanted_classes
from pipeline.datasets.old_pandas import Cell, read_columns
from pipeline.datasets.selection import select
from pipeline.errors import UserError

logger = logging.getLogger(__name__)

LAYOUT = "<kitchen>_train.pkl, <kitchen>_test.pkl and **/<participant>/**/<video_id>.MP4"
PARTICIPANTS: Mapping[Kitchen, str] = {"D1": "P08", "D2": "P01", "D3": "P22"}
SPLITS: tuple[Split, ...] = ("train", "test")
COLUMNS = (
    *("uid", "participant_id", "video_id"),
    *("start_timestamp", "stop_timestamp", "verb_class"),
)


@dataclass(frozen=True)
class _Segment:
    uid: int
    video_id: str
    start: float
    stop: float
    verb: str
    split: Split


def list_videos(root: Path, classes: Mapping[str, str] | None, kitchen: Kitchen) -> list[Listed]:
    """Segments whose videos are on disk, sorted by key, `<path below root>#<uid>`.

    Args:
        root: the folder of the set, or a link to it.
        classes: verb (as in VERBS) -> the task's name; None: all under their own names.
        kitchen: D1, D2 or D3, as MM-SADA names them.

    Raises:
        UserError: no lists, a list that is not MM-SADA's of this kitchen, a faulty row, an
            unknown verb, two files for one video, no videos, or, when every listed video is
            there, numbers other than the known ones.
    """
    wanted = wanted_classes(classes, VERBS, root)
    segments = [
        segment
        for split in SPLITS
        for segment in _read_list(_find_list(root, f"{kitchen}_{split}.pkl"), kitchen, split)
        if segment.verb in wanted
    ]
    files = _files_by_video(root, {segment.video_id for segment in segments})
    found = [segment for segment in segments if segment.video_id in files]
    _check_found(found, segments, wanted, kitchen, root)
    videos = [_listed(segment, files[segment.video_id]) for segment in found]
    return select(videos, classes, root)


def _find_list(root: Path, name: str) -> Path:
    for folder in places(root, ()):
        if (folder / name).is_file():
            return folder / name
    raise UserError(
        f"{root}: expected MM-SADA's {name} there or in a folder directly below; get it from the "
        "public MM-SADA splits (its licence is for non-commercial use)"
    )


def _read_list(path: Path, kitchen: Kitchen, split: Split) -> list[_Segment]:
    columns = read_columns(path, COLUMNS)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    others = {str(row["participant_id"]) for row in rows} - {PARTICIPANTS[kitchen]}
    if others:
        raise UserError(
            f"{path}: expected segments of {PARTICIPANTS[kitchen]}, which is MM-SADA's {kitchen}, "
            f"found {', '.join(sorted(others))}; get the list again, and mind that the MTRAN "
            "paper exchanges the names D1 and D2"
        )
    return [_segment(row, split, path) for row in rows]


def _segment(row: Mapping[str, Cell], split: Split, path: Path) -> _Segment:
    uid, verb_class, video_id = row["uid"], row["verb_class"], row["video_id"]
    start, stop = _seconds(row["start_timestamp"]), _seconds(row["stop_timestamp"])
    if (
        not isinstance(uid, int)
        or not isinstance(video_id, str)
        or not isinstance(verb_class, int)
        or not 0 <= verb_class < len(VERBS)
        or start is None
        or stop is None
        or not start < stop
    ):
        raise UserError(
            f"{path}: expected a segment with a uid, a video, verb_class 0 to {len(VERBS) - 1}, "
            f"and times HH:MM:SS.ss that go forward, found {dict(row)}; get the list again"
        )
    return _Segment(uid, video_id, start, stop, VERBS[verb_class], split)


def _seconds(timestamp: Cell) -> float | None:
    """Seconds of `HH:MM:SS.ss`, None if it is something else."""
    parts = re.fullmatch(r"([0-9]{1,3}):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)", str(timestamp))
    if parts is None:
        return None
    hours, minutes, seconds = parts.groups()
    return round(3600 * int(hours) + 60 * int(minutes) + float(seconds), 6)


def _files_by_video(root: Path, video_ids: set[str]) -> dict[str, str]:
    """The file of each video that is there, POSIX below `root`."""
    by_name = defaultdict(list)
    for path in videos_below(root):
        by_name[PurePosixPath(path).stem.casefold()].append(path)
    files = {}
    for video_id in sorted(video_ids):
        candidates = by_name.get(video_id.casefold(), [])
        if len(candidates) > 1:
            raise UserError(
                f"{root}: expected one file for the video {video_id}, found "
                f"{', '.join(candidates)}; keep one"
            )
        if candidates:
            files[video_id] = candidates[0]
    return files


def _check_found(
    found: list[_Segment], segments: list[_Segment], wanted: list[str], kitchen: Kitchen, root: Path
) -> None:
    """Some of the segments are there; if all are, their numbers are the known ones."""
    if not found:
        names = sorted({segment.video_id for segment in segments})
        raise UserError(
            f"{root}: none of the {len(names)} videos of kitchen {kitchen} is there; expected "
            f"{', '.join(f'{name}.MP4' for name in names[:3])} and so on, anywhere below it"
        )
    if len(found) < len(segments):
        missing = len(segments) - len(found)
        logger.warning("%s: %d of %d segments lack a video", root, missing, len(segments))
        return
    numbers = Counter((segment.verb, segment.split) for segment in segments)
    counts.check_kitchen(kitchen, wanted, numbers, root)


def _listed(segment: _Segment, path: str) -> Listed:
    key = f"{path}#{segment.uid}"
    return Listed(key, path, segment.split, segment.verb, segment.start, segment.stop)
