"""From all the videos of a data set to those of the wanted classes, under the task's names."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.datasets.disk import shortened
from pipeline.datasets.listing import Listed
from pipeline.errors import UserError


def select(videos: Iterable[Listed], classes: Mapping[str, str] | None, root: Path) -> list[Listed]:
    """Renames labels from own to task names, leaves other classes out, sorts by key.

    Args:
        videos: labelled with the data set's own class names; those without a label all stay.
        classes: own name -> task name; None keeps all classes under their own names.
        root: the domain's folder, for messages.

    Names are compared, and labels returned, in Unicode's composed form (NFC): the same class may
    be spelled in two ways that look alike on two disks.

    Raises:
        UserError: nothing is left, or two videos have one key.
    """
    everything = [
        video if video.label is None else replace(video, label=composed(video.label))
        for video in videos
    ]
    kept = everything
    if classes is not None:
        names = {composed(own): composed(task) for own, task in classes.items()}
        kept = [
            video if video.label is None else replace(video, label=names[video.label])
            for video in everything
            if video.label is None or video.label in names
        ]
    _check_any(kept, everything, classes, root)
    _check_unique(kept, root)
    return sorted(kept, key=lambda video: video.key)


def composed(text: str) -> str:
    """Text in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", text)


def _check_any(
    kept: list[Listed], everything: list[Listed], classes: Mapping[str, str] | None, root: Path
) -> None:
    if kept:
        return
    there = ", ".join(sorted({str(video.label) for video in everything})) or "no videos at all"
    wanted = "any class" if classes is None else f"the classes {', '.join(sorted(classes))}"
    raise UserError(
        f"{root}: expected videos of {wanted}, found {there}; "
        "check the domain's dataset and root, and the task's classes, in params.yaml"
    )


def _check_unique(kept: list[Listed], root: Path) -> None:
    count = Counter(video.key for video in kept)
    twice = sorted(key for key, times in count.items() if times > 1)
    if twice:
        raise UserError(
            f"{root}: expected every key once, found these several times; "
            f"the data set's lists name them twice, get these anew:\n{shortened(twice)}"
        )
