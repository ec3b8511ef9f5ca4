"""What stages `decode` and `flow` publish of a video: pictures, and which frames they show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import clips, lossless, params
from pipeline.errors import UserError
from pipeline.shards import Shards
from pipeline.video import Frames

_FAULTS = (LookupError, OverflowError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class PublishedFrames:
    """The frames that a video's clips and flow need.

    pictures  uint8 (n, h, w, 3), h and w at least `size`, the side of what the networks see
    numbers   n ascending frame numbers
    plan      of the clips, from the video's `n_frames`
    """

    pictures: Frames
    numbers: list[int]
    plan: clips.ClipPlan
    size: int
    n_frames: int
    fps: float


@dataclass(frozen=True, eq=False)
class PublishedFlow:
    """Flow as 8-bit codes (n, 2h, w), x above y, and the first frame number of each pair."""

    codes: Frames
    pairs: list[int]


def frames(source: Shards, key: str) -> PublishedFrames:
    """The frames of a video. Raises UserError: damaged, or not what `decode` publishes."""
    pictures, note = _decoded("frames", source, key)
    try:
        cut = params.Clips.model_validate(source.provenance["clips"])
        return PublishedFrames(
            pictures=pictures,
            numbers=_numbers(note, "numbers", pictures),
            plan=clips.plan(int(note["n_frames"]), **cut.model_dump()),
            size=int(source.provenance["decode"]["size"]),
            n_frames=int(note["n_frames"]),
            fps=float(note["fps"]),
        )
    except _FAULTS as fault:
        raise _foreign("frames", key, fault) from None


def flow(source: Shards, key: str) -> PublishedFlow:
    """The flow of a video. Raises UserError: damaged, or not what stage `flow` publishes."""
    codes, note = _decoded("flow", source, key)
    try:
        return PublishedFlow(codes, _numbers(note, "pairs", codes))
    except _FAULTS as fault:
        raise _foreign("flow", key, fault) from None


def _decoded(what: str, source: Shards, key: str) -> tuple[Frames, dict[str, Any]]:
    try:
        return lossless.decode(source.read(key))
    except UserError as fault:
        raise UserError(f"{what} of {key!r}: {fault}") from None


def _numbers(note: Mapping[str, Any], name: str, pictures: Frames) -> list[int]:
    numbers = [int(number) for number in note[name]]
    if len(numbers) != len(pictures) or numbers != sorted(set(numbers)):
        raise ValueError(f"{len(pictures)} pictures with the numbers {numbers[:9]}")
    return numbers


def _foreign(what: str, key: str, fault: Exception) -> UserError:
    wrong = " ".join(f"{type(fault).__name__}: {fault}".split())
    return UserError(f"{what} of {key!r} are of another kind ({wrong}); run `dvc repro`")
