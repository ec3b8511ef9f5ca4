"""What lies on disk: video files, folders and text lists, found in one order on every machine."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from pipeline.errors import UserError

VIDEO_SUFFIXES = frozenset(
    (
        *(".avi", ".mp4", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v"),
        *(".wmv", ".flv", ".3gp", ".ts", ".m2ts", ".ogv"),
    )
)
SHOWN = 10  # how many faults one error message lists


class _Entry(NamedTuple):
    name: str
    path: Path
    is_folder: bool
    identity: tuple[int, int]


def videos_below(root: Path) -> list[str]:
    """POSIX paths below `root` of every video file in it, in code-point order.

    Hidden files and folders are skipped. Links are followed; one that leads back to a folder
    it lies in is not entered again.

    Raises:
        UserError: a folder that cannot be read, a link that leads nowhere, a name that is not
            UTF-8.
    """
    status = root.stat()
    found = _walk(root, ((status.st_dev, status.st_ino),))
    return sorted(path.relative_to(root).as_posix() for path in found)


def videos_in(folder: Path) -> list[str]:
    """Names of the video files directly in `folder`, in code-point order; none if it is missing.

    Raises:
        UserError: as `videos_below`.
    """
    if not folder.is_dir():
        return []
    return [e.name for e in _visible(folder) if not e.is_folder and is_video(e.name)]


def files_in(folder: Path, suffix: str) -> list[str]:
    """Names of the visible files directly in `folder` that end so, in code-point order.

    Raises:
        UserError: as `videos_below`.
    """
    found = [e for e in _visible(folder) if not e.is_folder and e.name.endswith(suffix)]
    for entry in found:
        _check_name(entry.path)
    return [entry.name for entry in found]


def folders_in(folder: Path) -> list[Path]:
    """The visible folders, and links to folders, directly in `folder`, in code-point order.

    Raises:
        UserError: as `videos_below`.
    """
    return [entry.path for entry in _visible(folder) if entry.is_folder]


def is_video(name: str) -> bool:
    """Whether a file's name ends like a video's, whatever the case of its letters."""
    return PurePath(name).suffix.lower() in VIDEO_SUFFIXES


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text list that are not blank, stripped, each with its number from 1.

    Raises:
        UserError: the file is not UTF-8 text, or cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); mend or move it") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected a text list in UTF-8; {error}") from error
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def shortened(faults: Sequence[str]) -> str:
    """The first faults, one a line, and how many more there are."""
    lines = [f"  {fault}" for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        lines.append(f"  and {len(faults) - SHOWN} more")
    return "\n".join(lines)


def _walk(folder: Path, ancestors: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    for entry in _visible(folder):
        if not entry.is_folder and is_video(entry.name):
            yield entry.path
        elif entry.is_folder and entry.identity not in ancestors:
            yield from _walk(entry.path, (*ancestors, entry.identity))


def _visible(folder: Path) -> list[_Entry]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be listed ({error.strerror}); mend its rights"
        ) from error
    found = (_entry(folder / name) for name in names)
    return [entry for entry in found if entry is not None]


def _entry(path: Path) -> _Entry | None:
    """A regular file or folder, links followed; None for anything else, and a link to itself."""
    try:
        status = path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        wrong = "a link that leads nowhere" if path.is_symlink() else error.strerror
        raise UserError(f"{path}: {wrong}; mend it or take it away") from error
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return None
    if is_folder or is_video(path.name):
        _check_name(path)
    return _Entry(path.name, path, is_folder, (status.st_dev, status.st_ino))


def _check_name(path: Path) -> None:
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{path.parent}: expected names in UTF-8, found {os.fsencode(path.name)!r}; rename it"
        ) from error
