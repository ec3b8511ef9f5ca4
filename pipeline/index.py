"""A domain's index: its videos, and apart from them, its labels.

videos.csv carries no label, so a stage that reads it alone can learn nothing from labels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Literal

from pipeline import tables
from pipeline.errors import UserError

Split = Literal["train", "test"]
IMPORTED_SUFFIXES = (".npz", ".npy")
MODEL_SUFFIX = ".safetensors"
_SPLITS: Mapping[str, Split] = {"train": "train", "test": "test"}


@dataclass(frozen=True)
class Video:
    """One video, or a segment of one, without its label.

    key     unique in the domain          path   POSIX, below the domain's root
    start, stop  seconds, or None         split  "train" or "test"
    sha256  of the file's bytes
    """

    key: str
    path: str
    start: float | None
    stop: float | None
    split: Split
    sha256: str

    @property
    def imported(self) -> bool:
        """Whether the file holds features, of this video or others too, and no pictures."""
        return self.path.endswith(IMPORTED_SUFFIXES)


def all_imported(videos: Sequence[Video]) -> bool:
    """Whether these are videos of a domain whose features the user already has."""
    return bool(videos) and all(video.imported for video in videos)


def is_model(videos: Sequence[Video]) -> bool:
    """Whether these are the files of a model that was received, in place of a source's videos."""
    return bool(videos) and all(video.path.endswith(MODEL_SUFFIX) for video in videos)


def write_videos(path: Path, videos: Iterable[Video]) -> None:
    """Writes videos.csv, a row a video. Raises UserError for a name that CSV cannot hold."""
    tables.write(path, [asdict(video) for video in videos], [field.name for field in fields(Video)])


def read_videos(path: Path) -> list[Video]:
    """Reads videos.csv. Raises UserError if it is missing or no such table."""
    rows = tables.read(path, [field.name for field in fields(Video)])
    try:
        return [_video(row) for row in rows]
    except (KeyError, ValueError) as fault:
        raise UserError(f"{path}: a faulty row ({fault}); delete it, run `dvc repro`") from None


def leads_out(path: str) -> bool:
    """Whether a path does not stay below the folder that it is taken from."""
    return not path or "\0" in path or path.startswith("/") or ".." in PurePosixPath(path).parts


def _video(row: Mapping[str, str]) -> Video:
    if leads_out(row["path"]):
        raise ValueError(f"{row['path']!r} is no path below the domain's folder")
    return Video(
        key=row["key"],
        path=row["path"],
        start=_seconds(row["start"]),
        stop=_seconds(row["stop"]),
        split=_SPLITS[row["split"]],
        sha256=row["sha256"],
    )


def _seconds(text: str) -> float | None:
    if text and not 0 <= float(text) < 1e9:
        raise ValueError(f"{text!r} are no seconds")
    return float(text) if text else None


def write_labels(path: Path, labels: Mapping[str, str]) -> None:
    """Writes labels.csv, a row a labelled video."""
    rows = [{"key": key, "label": label} for key, label in sorted(labels.items())]
    tables.write(path, rows, ["key", "label"])


def read_labels(path: Path) -> dict[str, str]:
    """Reads labels.csv: key -> class name; empty for an unlabelled domain."""
    return {row["key"]: row["label"] for row in tables.read(path, ["key", "label"])}


def write_classes(path: Path, labels: Iterable[str]) -> None:
    """Writes classes.csv: the domain's class names alone, sorted."""
    tables.write(path, [{"class": name} for name in sorted(set(labels))], ["class"])


def read_classes(path: Path) -> list[str]:
    """Reads classes.csv."""
    return [row["class"] for row in tables.read(path, ["class"])]
