"""The small picture of a video: a frame, and beside it the optical flow from it in colours."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline import published, shards
from pipeline.fingerprint import fingerprint
from pipeline.per_video import Job
from pipeline.video import Frames

VERSION = 1  # raise it when the picture of an unchanged video changes
QUALITY = 75  # of JPEG, of 100
STILL = 128  # the 8-bit code of no motion
NOISE = 1.5  # code steps that are drawn as no motion
FAINTEST = 8  # code steps that are coloured fully where nothing moves faster: about 1 px of 20


@dataclass(frozen=True)
class VideoPicture:
    """Draws the pictures of videos whose frames and flow are published, `height` px high."""

    frames: Path
    flow: Path
    height: int

    def __call__(self, job: Job) -> bytes:
        """A JPEG: the middle frame of the middle clip, and the flow from that frame."""
        key = job.video.key
        frames = published.frames(shards.opened(self.frames), key)
        flow = published.flow(shards.opened(self.flow), key)
        middle = frames.plan.frames.size // 2
        number, pair = (int(p.flat[middle]) for p in (frames.plan.frames, frames.plan.pairs))
        frame = frames.pictures[frames.numbers.index(number)]
        codes = flow.codes[flow.pairs.index(pair)]
        return jpeg(np.hstack([reduced(part, self.height) for part in (frame, coloured(codes))]))

    def provenance(self) -> dict[str, Any]:
        """What shapes a picture, beside frames and flow."""
        return {"version": VERSION, "height": self.height}

    def fingerprint(self, key: str) -> str:
        """What the picture of a video is made from."""
        made = [shards.opened(part).fingerprints[key] for part in (self.frames, self.flow)]
        return fingerprint(made_from=made, **self.provenance())


def coloured(codes: Frames) -> Frames:
    """Flow codes (2h, w), x above y -> RGB (h, w, 3): hue tells direction, depth speed.

    White does not move; the fastest point of the picture has the deepest colour.
    """
    x, y = np.split(codes.astype(np.float32) - STILL, 2)
    speed, direction = cv2.cartToPolar(x, y, angleInDegrees=True)
    speed[speed < NOISE] = 0
    depth = 255 * speed / max(FAINTEST, float(speed.max()))
    white = np.full_like(depth, 255)
    colours = np.stack([direction / 2, depth, white], axis=-1).astype(np.uint8)
    return cv2.cvtColor(colours, cv2.COLOR_HSV2RGB).astype(np.uint8, copy=False)


def reduced(picture: Frames, height: int) -> Frames:
    """An RGB picture in that height, its shape kept."""
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return scaled.astype(np.uint8, copy=False)


def jpeg(picture: Frames) -> bytes:
    """An RGB picture as a JPEG file."""
    colours = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, coded = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return coded.tobytes()
