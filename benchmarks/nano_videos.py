"""The rendered clips that the small backbone `i3d_nano` learns from: twenty motions, any style.

None of them is in the demo: the six actions of the demo are among the motions, as most classes of
UCF101 are in Kinetics, but the styles are neither studio nor street, and every number is drawn
from another stream.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.clips import plan
from pipeline.demo.background import Image, draw_colour, texture
from pipeline.demo.figure import (
    ABDUCTION,
    BEND,
    FLEXION,
    LEAN,
    LIFT,
    ROTATION,
    SWAY,
    TILT,
    TURN,
    TWIST,
    Array,
    Pose,
)
from pipeline.demo.motions import ACTIONS, Gait, Manner, Motion, crouch, cycles, go, keyed, standing
from pipeline.demo.render import draw_shot
from pipeline.demo.style import Camera, Clutter, Light, Sensor, Style
from pipeline.flow import to_code, tvl1

SIZE = 64  # pixels, both sides
FRAMES = 16  # of a clip
BOUND = 20.0  # pixels of flow
STREAM = 7  # of random numbers; the demo's domains have 1 and 2


def _wave_of(time: Array, manner: Manner, frequency: float) -> Array:
    return np.sin(2 * np.pi * cycles(time, manner, frequency))


def punch(time: Array, manner: Manner) -> Pose:
    """One arm shoots forward again and again, the other guards."""
    pose = standing(time, manner)
    reach = keyed(cycles(time, manner, 1.3), at0=0.0, at20=1.0, at45=0.0)
    pose.arms[:] = (0.6, 0.15, 0.4, 2.0)
    pose.arms[:, manner.lead, FLEXION] += 0.9 * manner.amplitude * reach
    pose.arms[:, manner.lead, BEND] -= 1.9 * reach
    pose.torso[:, TWIST] += (2 * manner.lead - 1) * 0.5 * reach
    return pose


def jumping_jack(time: Array, manner: Manner) -> Pose:
    """Arms and legs go out and in together, with a little jump."""
    pose = standing(time, manner)
    out = 0.5 - 0.5 * _wave_of(time, manner, 1.1)
    pose.arms[:] = (0.0, 0.2, 0.0, 0.2)
    pose.arms[:, :, ABDUCTION] += (2.4 * manner.amplitude * out)[:, None]
    pose.legs[:, :, ABDUCTION] += (0.5 * manner.amplitude * out)[:, None]
    pose.root[:, LIFT] = 0.08 * (1 - np.abs(2 * out - 1))
    return pose


def clap(time: Array, manner: Manner) -> Pose:
    """Hands meet in front of the chest."""
    pose = standing(time, manner)
    apart = 0.5 + 0.5 * manner.amplitude * _wave_of(time, manner, 1.9)
    pose.arms[:] = (0.9 + 0.5 * manner.nuance, 0.1, 0.0, 1.0)
    pose.arms[:, :, ROTATION] = (0.5 - 0.9 * apart)[:, None]
    pose.arms[:, :, ABDUCTION] = (0.1 + 0.4 * apart)[:, None]
    return pose


def bow(time: Array, manner: Manner) -> Pose:
    """Bends forward at the hips and comes up."""
    pose = standing(time, manner)
    pose.torso[:, LEAN] += 1.2 * manner.amplitude * (0.5 - 0.5 * _wave_of(time, manner, 0.6))
    return pose


def spin(time: Array, manner: Manner) -> Pose:
    """Turns on the spot."""
    pose = standing(time, manner)
    pose.root[:, TURN] += (2 * manner.lead - 1) * 2 * np.pi * cycles(time, manner, 0.6)
    pose.legs[:, :, FLEXION] += 0.25 * _wave_of(time, manner, 1.6)[:, None] * np.array([1.0, -1.0])
    return pose


def throw(time: Array, manner: Manner) -> Pose:
    """Throws overhead with one arm."""
    pose = standing(time, manner)
    cycle = cycles(time, manner, 0.9)
    arm = pose.arms[:, manner.lead]
    arm[:, FLEXION] = manner.amplitude * keyed(cycle, at0=0.0, at30=2.9, at50=0.8, at70=0.1)
    arm[:, ABDUCTION], arm[:, ROTATION] = 0.3, 0.0
    arm[:, BEND] = keyed(cycle, at0=0.3, at30=1.7, at45=0.1, at70=0.3)
    twist = keyed(cycle, at0=0.0, at30=-0.5, at50=0.5, at80=0.0)
    pose.torso[:, TWIST] += (2 * manner.lead - 1) * twist
    return pose


def swing(time: Array, manner: Manner) -> Pose:
    """Swings both arms from side to side, as with a bat."""
    pose = standing(time, manner)
    side = _wave_of(time, manner, 0.8)
    pose.arms[:] = (0.9, -0.1, 0.3, 0.4)
    pose.torso[:, TWIST] += 1.1 * manner.amplitude * side
    pose.arms[:, :, ABDUCTION] += 0.5 * side[:, None] * np.array([1.0, -1.0])
    return pose


def circle_arms(time: Array, manner: Manner) -> Pose:
    """Both arms go round and round."""
    pose = standing(time, manner)
    pose.arms[:] = (0.0, 0.3, 0.0, 0.1)
    pose.arms[:, :, FLEXION] = (2 * np.pi * cycles(time, manner, 0.9))[:, None]
    return pose


def march(time: Array, manner: Manner) -> Pose:
    """Lifts the knees high in turn."""
    pose = go(time, manner, Gait(1.0, 0.1, 0.0, 0.5, 0.6, 0.0, 0.0))
    stride = _wave_of(time, manner, 1.0)[:, None] * np.array([1.0, -1.0])
    high = 1.4 * manner.amplitude * np.maximum(0.0, stride)
    pose.legs[:, :, FLEXION] += high
    pose.legs[:, :, BEND] += high
    return pose


def hop(time: Array, manner: Manner) -> Pose:
    """Hops on one leg."""
    pose = standing(time, manner)
    bounce = np.abs(_wave_of(time, manner, 0.9))
    pose.root[:, LIFT] = 0.12 * manner.amplitude * bounce
    crouch(pose, 0.4 * (1 - bounce))
    pose.legs[:, manner.lead, FLEXION] = 0.4
    pose.legs[:, manner.lead, BEND] = 1.6
    return pose


def lunge(time: Array, manner: Manner) -> Pose:
    """One leg far in front, sinks and rises."""
    pose = standing(time, manner)
    depth = 0.3 + manner.amplitude * (0.5 - 0.5 * _wave_of(time, manner, 0.7))
    front, back = pose.legs[:, manner.lead], pose.legs[:, 1 - manner.lead]
    front[:, FLEXION], front[:, BEND] = 1.1 * depth, 1.2 * depth
    back[:, FLEXION], back[:, BEND] = -0.3 * depth, 0.9 * depth
    return pose


def fall(time: Array, manner: Manner) -> Pose:
    """Falls forward or backward and gets up."""
    pose = standing(time, manner)
    down = keyed(cycles(time, manner, 0.5), at0=0.0, at35=1.0, at55=1.0, at95=0.0)
    pose.root[:, TILT] = (1.5 if manner.nuance < 0.5 else -1.5) * down
    pose.legs[:, :, BEND] += 0.8 * (down * (1 - down) * 4)[:, None]
    return pose


def side_bend(time: Array, manner: Manner) -> Pose:
    """Leans to one side and to the other."""
    pose = standing(time, manner)
    pose.torso[:, SWAY] += 0.6 * manner.amplitude * _wave_of(time, manner, 0.6)
    return pose


def lift(time: Array, manner: Manner) -> Pose:
    """Lifts both arms from below to overhead and lowers them."""
    pose = standing(time, manner)
    up = 0.5 - 0.5 * _wave_of(time, manner, 0.7)
    pose.arms[:] = (0.2, 0.15, 0.2, 0.4)
    pose.arms[:, :, FLEXION] += (2.5 * manner.amplitude * up)[:, None]
    return pose


MOTIONS: dict[str, Motion] = {
    **ACTIONS,
    "bow": bow,
    "circle_arms": circle_arms,
    "clap": clap,
    "fall": fall,
    "hop": hop,
    "jumping_jack": jumping_jack,
    "lift": lift,
    "lunge": lunge,
    "march": march,
    "punch": punch,
    "side_bend": side_bend,
    "spin": spin,
    "swing": swing,
    "throw": throw,
}


def paint_shapes(rng: np.random.Generator, height: int, width: int, horizon: int) -> Image:
    """A wall and a floor of blotches, with some shapes of muted colours on them."""
    image = np.empty((height, width, 3), np.uint8)
    image[:horizon] = draw_colour(rng, (0.0, 0.5), (0.3, 0.95))
    image[horizon:] = draw_colour(rng, (0.0, 0.5), (0.2, 0.8))
    for _ in range(max(0, int(rng.integers(-4, 9)))):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        wide, high = int(width * rng.uniform(0.03, 0.25)), int(height * rng.uniform(0.03, 0.3))
        colour = draw_colour(rng, (0.0, 0.5), (0.2, 0.9))
        if rng.uniform() < 0.5:
            cv2.rectangle(image, (x, y), (x + wide, y + high), colour, -1)
        else:
            cv2.ellipse(image, (x, y), (wide, high), rng.uniform(0, 180), 0, 360, colour, -1)
    return texture(rng, image, rng.uniform(0, 10), int(rng.integers(2, 20)))


def draw_style(rng: np.random.Generator) -> Style:
    """A look of its own for each clip."""
    held = rng.uniform() < 0.4  # else the camera stands on something
    fps = int(rng.integers(15, 31))
    length = rng.uniform(1.6, 3.0) * fps / rng.choice([3, 5, 5, 5, 7])  # one segment of a video
    count = max(5, round(length)) + 1
    return Style(
        width=int(rng.integers(150, 260)),
        height=int(rng.integers(140, 200)),
        fps=fps,
        frames=(count, count),
        figure=(0.45, 0.85),
        place=(0.3, 0.7),
        ground=(0.8, 0.97),
        horizon=(0.5, 0.85),
        background=paint_shapes,
        camera=Camera(
            elevation=(0.0, 0.2),
            roll=0.01 * held,
            follow=(0.0, 0.6 * held),
            pan=0.06 * held,
            shake=0.004 * held,
        ),
        light=Light(level=(0.7, 1.15), warmth=(-0.15, 0.15), flicker=0.0),
        sensor=Sensor(blur=(0.0, 0.5), noise=(0.0, 4.0)),
        clutter=Clutter(passers_by=(0, 0), vehicles=(0, 0), posts=(0, 0)),
    )


@dataclass(frozen=True)
class Clips:
    """Clips of all motions: what the networks see, as 8-bit codes."""

    rgb: NDArray[np.uint8]  # (n, FRAMES, SIZE, SIZE, 3)
    flow: NDArray[np.uint8]  # (n, FRAMES, SIZE, SIZE, 2), code 127.5 is no motion
    labels: NDArray[np.int64]  # (n,) index into MOTIONS


def render_clips(count: int, *, seed: int, workers: int) -> Clips:
    """Renders `count` clips, the motions in turn; the same for any number of `workers`."""
    rgb = np.empty((count, FRAMES, SIZE, SIZE, 3), np.uint8)
    flow = np.empty((count, FRAMES, SIZE, SIZE, 2), np.uint8)
    with ProcessPoolExecutor(workers, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        found = pool.map(partial(_render_clip, seed), range(count), chunksize=16)
        for number, clip in enumerate(tqdm(found, total=count, desc="render", disable=None)):
            rgb[number], flow[number] = clip
    return Clips(rgb, flow, np.arange(count) % len(MOTIONS))


def _render_clip(seed: int, number: int) -> tuple[Image, Image]:
    rng = np.random.default_rng([seed, STREAM, number])
    motion = list(MOTIONS.values())[number % len(MOTIONS)]
    shot = draw_shot(motion, draw_style(rng), rng)
    frames = np.stack(list(shrunk(shot.frames())))
    wanted = plan(len(frames) - 1, segments=1, windows=1, frames=FRAMES, sampling="spread")
    numbers = wanted.frames.ravel()
    return frames[numbers], flow_codes(frames)[numbers]


def shrunk(frames: Iterator[Image]) -> Iterator[Image]:
    """Frames scaled to (SIZE, SIZE, 3) by the filter that the decoding of videos uses."""
    reformatter = VideoReformatter()
    smooth = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    for pixels in frames:
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        small = reformatter.reformat(frame, SIZE, SIZE, "rgb24", interpolation=smooth, threads=1)
        yield np.asarray(small.to_ndarray(), np.uint8)


def flow_codes(frames: Image) -> Image:
    """TV-L1 flow (n, SIZE, SIZE, 2) of each of the frames (n + 1, ...) to its next, coded.

    Flow is clipped to -BOUND..BOUND pixels and coded to 0..255 as I3D's was.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    fields = [tvl1(first, second) for first, second in pairwise(grey)]
    return np.stack([np.moveaxis(to_code(field, BOUND), 0, -1) for field in fields])
