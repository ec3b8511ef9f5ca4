"""Official split lists: where they and the videos may lie, and which listed clip is which file."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from pipeline.datasets import counts
from pipeline.datasets.disk import folders_in, is_video, shortened, videos_in
from pipeline.datasets.listing import Listed, Split
from pipeline.datasets.selection import select
from pipeline.errors import UserError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Official:
    """A clip as an official list names it: with or without the ending of its file.

    Split None: listed as belonging to neither, so that its file is not taken for another's.
    """

    own_class: str
    name: str
    split: Split | None


def places(root: Path, preferred: Sequence[str]) -> Iterator[Path]:
    """Folders to look in, in order: the preferred ones below `root`, `root`, its other folders."""
    first = [root / name for name in preferred if (root / name).is_dir()]
    yield from first
    yield root
    yield from (folder for folder in folders_in(root) if folder not in first)


def class_folders(
    root: Path,
    own_classes: Collection[str],
    preferred: Sequence[str],
    spelling: Callable[[str], str] = str,
) -> dict[str, Path]:
    """The folder of each class, in the first of `places` that has videos of one of them.

    If no place has videos, the first that has one of the folders; {} if none has. Folders and
    classes are the same when their spellings are: by default, when equal.
    """
    without_videos: dict[str, Path] = {}
    for place in places(root, preferred):
        there = {spelling(folder.name): folder for folder in folders_in(place)}
        found = {own: there[spelling(own)] for own in own_classes if spelling(own) in there}
        if any(videos_in(folder) for folder in found.values()):
            return found
        without_videos = without_videos or found
    return without_videos


def wanted_classes(
    classes: Mapping[str, str] | None, official: Collection[str], where: Path
) -> list[str]:
    """Own classes to list: all the official ones, or those of a class map among them.

    Raises:
        UserError: the map names classes that the data set has not.
    """
    if classes is None:
        return sorted(official)
    unknown = sorted(set(classes) - set(official))
    if unknown:
        raise UserError(
            f"{where}: no classes {', '.join(unknown)} in this data set, which has "
            f"{', '.join(sorted(official))}; correct the domain's classes in params.yaml "
            "(names count to the letter)"
        )
    return sorted(classes)


def find_videos(
    dataset: counts.Counted,
    root: Path,
    clips: Sequence[Official],
    folders: Mapping[str, Path],
    classes: Mapping[str, str] | None,
) -> list[Listed]:
    """The clips that are on disk, under the task's class names, sorted by key.

    Clips that are not there are left out, and how many is logged: a partial copy is normal. When
    all are there, their numbers must be the known ones (`counts.check`).

    Raises:
        UserError: a clip listed twice, two files for one clip, no clip there, unknown numbers.
    """
    _check_once(clips, root)
    used = [clip for clip in clips if clip.split is not None]
    videos = [
        video
        for own, folder in folders.items()
        for video in _there([clip for clip in clips if clip.own_class == own], folder, root)
    ]
    if not videos:
        raise UserError(
            f"{root}: none of the {len(used)} clips that the official {dataset} lists name is "
            f"there; expected <class>/<clip> below it, looked in "
            f"{', '.join(str(folder) for folder in folders.values()) or 'every folder'}; "
            "put the videos there"
        )
    if len(videos) < len(used):
        missing = len(used) - len(videos)
        logger.warning("%s: %d of %d listed clips are not there", root, missing, len(used))
    else:
        numbers = Counter((str(video.label), video.split) for video in videos)
        counts.check(dataset, {clip.own_class for clip in clips}, numbers, root)
    return select(videos, classes, root)


def match(names: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """Which file is which listed name, within one class: name -> file.

    Equal names match first; then names equal without a video's ending (copies are re-encoded);
    then names equal after dropping everything but ASCII letters and digits (copies lack or
    replace `&`, `!`, `#`, brackets, `;`); then the same with case ignored. Each step sees what
    the ones before left over. Names that become equal in a step stay unmatched in it: which is
    which cannot be told.

    Raises:
        UserError: two files are left for one name.
    """
    matched: dict[str, str] = {}
    for key_of in (str, _stem, _letters_and_digits, _lower_case):
        left_names = _grouped([name for name in names if name not in matched], key_of)
        taken = set(matched.values())
        left_files = _grouped([file for file in files if file not in taken], key_of)
        for key, (name, *others) in left_names.items():
            candidates = left_files.get(key, [])
            if others or not candidates:
                continue
            if len(candidates) > 1:
                raise UserError(
                    f"expected one file for the listed clip {name!r}, found "
                    f"{', '.join(map(repr, candidates))}; keep one"
                )
            matched[name] = candidates[0]
    return matched


def _there(clips: Sequence[Official], folder: Path, root: Path) -> Iterator[Listed]:
    """The clips of one class that are in its folder, under its own name."""
    try:
        files = match([clip.name for clip in clips], videos_in(folder))
    except UserError as error:
        raise UserError(f"{folder}: {error}") from error
    for clip in clips:
        if clip.split is not None and clip.name in files:
            key = (folder / files[clip.name]).relative_to(root).as_posix()
            yield Listed(key, key, clip.split, clip.own_class)


def _grouped(names: Sequence[str], key_of: Callable[[str], str]) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for name in names:
        groups[key_of(name)].append(name)
    return groups


def _stem(name: str) -> str:
    return PurePath(name).stem if is_video(name) else name


def _letters_and_digits(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", _stem(name))


def _lower_case(name: str) -> str:
    return _letters_and_digits(name).lower()


def _check_once(clips: Sequence[Official], root: Path) -> None:
    times = Counter((clip.own_class, clip.name) for clip in clips)
    twice = [f"{own}/{name}" for (own, name), count in times.items() if count > 1]
    if twice:
        raise UserError(
            f"{root}: the official lists must name every clip once, in train or in test; these "
            f"stand there several times; get the lists anew:\n{shortened(twice)}"
        )
