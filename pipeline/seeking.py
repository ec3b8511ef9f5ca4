"""Long videos of which few frames are wanted: the stretches to decode, each from a key frame on.

Pure arithmetic on time stamps; `pipeline.video_file` reads them and decodes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

LONG = 1000  # frames; shorter videos are decoded whole, so that all their damage is seen
WORTH = 2  # frames that the video has, for each one that has to be decoded


@dataclass(frozen=True)
class Timeline:
    """When the frames of a video are shown, as its packets say; nothing is decoded.

    shown  a time stamp a frame, ascending, none twice
    keys   the stamps among them at which decoding can begin, ascending
    """

    shown: Sequence[int]
    keys: Sequence[int]


@dataclass(frozen=True)
class Stretch:
    """Neighbouring frames to decode, of which some are wanted; the first is a key frame.

    stamps  when they are shown         wanted  the stamps of the wanted ones, ascending
    """

    stamps: Sequence[int]
    wanted: Sequence[int]


def stretches(timeline: Timeline, numbers: Sequence[int]) -> list[Stretch] | None:
    """The stretches that lead to frames of these ascending numbers.

    None where decoding all is as good: the stretches are half of the video or more, or a wanted
    frame has no key frame before it.
    """
    found: list[Stretch] = []
    for stamp in [timeline.shown[number] for number in numbers]:
        after = bisect_right(timeline.keys, stamp)
        if after == 0:
            return None
        key = timeline.keys[after - 1]
        wanted = [stamp]
        if found and found[-1].stamps[0] == key:
            wanted = [*found.pop().wanted, stamp]
        first, last = (bisect_left(timeline.shown, edge) for edge in (key, stamp))
        found.append(Stretch(timeline.shown[first : last + 1], wanted))
    decoded = sum(len(stretch.stamps) for stretch in found)
    return found if decoded * WORTH <= len(timeline.shown) else None
