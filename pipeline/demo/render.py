"""Draws a person who does something in some style: frames of RGB pixels."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.demo.background import Image
from pipeline.demo.figure import Array, Build, joints
from pipeline.demo.motions import Motion, draw_manner
from pipeline.demo.people import Clothes, draw_build, draw_clothes, draw_person
from pipeline.demo.style import Light, Sensor, Style
from pipeline.demo.traffic import PasserBy, Post, Vehicle, draw_posts, draw_traffic

MARGIN = 0.25  # of the frame's size: how far the painted scene goes on around it


def film(motion: Motion, style: Style, rng: np.random.Generator) -> Iterator[Image]:
    """Yields the frames (height, width, 3), RGB, of one new video of one new person."""
    yield from draw_shot(motion, style, rng).frames()


@dataclass(frozen=True)
class Actor:
    """The person whom a video is about, projected into the scene."""

    at: Array  # (n, joints, 2) scene pixels
    depth: Array  # (n, joints) towards the camera, body heights
    path: Array  # (n,) scene pixels, how far to the right of the first frame's place
    ground: Array  # (n, 2) scene pixels, below the pelvis
    scale: float  # pixels per body height
    build: Build
    clothes: Clothes

    def draw(self, frame: Image, view: Array, index: int) -> None:
        """Draws the person and a soft shadow as they are in frame `index`, through `view`."""
        x, y = view[:, :2] @ self.ground[index] + view[:, 2]
        _darken(frame, (x, y), (0.2 * self.scale, 0.04 * self.scale))
        at = self.at[index] @ view[:, :2].T + view[:, 2]
        draw_person(frame, at, self.depth[index], self.scale, self.build, self.clothes)


@dataclass(frozen=True)
class Finish:
    """Light, lens and chip of one video."""

    gains: Array  # (n, 3) factor on red, green and blue of each frame
    blur: float  # pixels
    brighter: Image  # (height + 64, width + 64, 3), the noise above 0
    darker: Image  # likewise, below 0, without the sign
    cuttings: np.ndarray  # (n, 2) top left corners in the noise

    def develop(self, frame: Image, index: int) -> Image:
        """The frame as the camera stores it."""
        levels = np.clip(np.arange(256)[:, None] * self.gains[index], 0, 255)
        lit = cv2.LUT(frame, np.rint(levels).astype(np.uint8)[None])
        if self.blur > 0.2:
            lit = cv2.GaussianBlur(lit, (0, 0), self.blur)
        top, left = self.cuttings[index]
        cutting = np.s_[top : top + frame.shape[0], left : left + frame.shape[1]]
        grainy = cv2.subtract(cv2.add(lit, self.brighter[cutting]), self.darker[cutting])
        return np.asarray(grainy, np.uint8)


@dataclass(frozen=True)
class Shot:
    """One video before it is drawn."""

    style: Style
    time: Array  # (n,) seconds
    actor: Actor
    views: Array  # (n, 2, 3) from scene pixels to pixels of each frame
    scene: Image
    behind: list[PasserBy | Vehicle]
    before: list[Post]
    finish: Finish

    def frames(self) -> Iterator[Image]:
        """Draws frame after frame (height, width, 3), RGB."""
        for index, (view, time) in enumerate(zip(self.views, self.time, strict=True)):
            frame = see(self.scene, view, self.style)
            for mover in self.behind:
                mover.draw(frame, view, time)
            self.actor.draw(frame, view, index)
            for post in self.before:
                post.draw(frame, view, time)
            yield self.finish.develop(frame, index)


def draw_shot(motion: Motion, style: Style, rng: np.random.Generator) -> Shot:
    """A new shot of somebody new who does `motion`; everything random is drawn here."""
    count = int(rng.integers(style.frames[0], style.frames[1] + 1))
    time = np.arange(count) / style.fps
    actor = draw_actor(motion, style, rng, time)
    return Shot(
        style=style,
        time=time,
        actor=actor,
        views=move_camera(style, rng, time, actor.path),
        scene=paint_scene(style, rng),
        behind=draw_traffic(style, rng),
        before=draw_posts(style, rng),
        finish=draw_finish(style.light, style.sensor, rng, (count, style.height, style.width)),
    )


def draw_actor(motion: Motion, style: Style, rng: np.random.Generator, time: Array) -> Actor:
    """Somebody new who does `motion`, seen from anywhere but the back."""
    manner, build, clothes = draw_manner(rng), draw_build(rng), draw_clothes(rng)
    facing = rng.uniform(-0.6 * np.pi, 0.6 * np.pi)  # 0 looks at the camera, pi / 2 to the right
    scale = style.height * rng.uniform(*style.figure)
    elevation = rng.uniform(*style.camera.elevation)
    place = (style.width * rng.uniform(*style.place), style.height * rng.uniform(*style.ground))

    body = joints(motion(time, manner), build)  # (n, joints, 3)
    ahead, left, up = body[..., 0], body[..., 1], body[..., 2]
    right = ahead * np.sin(facing) + left * np.cos(facing)
    near = ahead * np.cos(facing) - left * np.sin(facing)
    travel = right[:, 0] - right[:, 0].mean()
    right = right - right[:, 0].mean()
    near = near - near[:, 0].mean()
    down = near * np.sin(elevation) - up * np.cos(elevation)
    ground = np.stack([right[:, 0], near[:, 0] * np.sin(elevation)], axis=-1)
    return Actor(
        at=np.array(place) + scale * np.stack([right, down], axis=-1),
        depth=near * np.cos(elevation) + up * np.sin(elevation),
        path=scale * travel,
        ground=np.array(place) + scale * ground,
        scale=float(scale),
        build=build,
        clothes=clothes,
    )


def move_camera(style: Style, rng: np.random.Generator, time: Array, path: Array) -> Array:
    """Views (n, 2, 3): affine maps from scene pixels to pixels of each frame."""
    camera = style.camera
    middle = (time - time.mean())[:, None]
    drift = rng.uniform(-camera.pan, camera.pan) * style.width * middle * (1.0, 0.15)
    drift[:, 0] += rng.uniform(*camera.follow) * path
    drift += camera.shake * style.height * _tremble(rng, time, 2)
    angle = camera.roll * (rng.normal() + 0.3 * _tremble(rng, time, 1)[:, 0])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)  # (n, 2, 2)
    centre = np.array([style.width / 2, style.height / 2])
    shift = centre - np.einsum("nij,nj->ni", turn, centre + drift)
    return np.concatenate([turn, shift[..., None]], axis=2)


def _tremble(rng: np.random.Generator, time: Array, channels: int) -> Array:
    """Hand tremor (n, channels) of standard deviation about 1: slow sway and fast jitter."""
    waves = np.zeros((len(time), channels))
    for low, high, size in ((0.4, 1.0, 1.1), (1.5, 3.0, 0.7), (4.0, 8.0, 0.35)):
        rate, phase = rng.uniform(low, high, channels), rng.uniform(0, 2 * np.pi, channels)
        waves += size * np.sin(2 * np.pi * rate * time[:, None] + phase)
    return waves + 0.12 * rng.normal(size=waves.shape)


def paint_scene(style: Style, rng: np.random.Generator) -> Image:
    """The painted background, MARGIN larger than a frame on every side."""
    pad_x, pad_y = int(MARGIN * style.width), int(MARGIN * style.height)
    horizon = pad_y + int(style.height * rng.uniform(*style.horizon))
    return style.background(rng, style.height + 2 * pad_y, style.width + 2 * pad_x, horizon)


def see(scene: Image, view: Array, style: Style) -> Image:
    """The part (height, width, 3) of the scene that `view` (2, 3) shows."""
    pad_x, pad_y = int(MARGIN * style.width), int(MARGIN * style.height)
    if np.array_equal(view, np.eye(2, 3)):  # a camera that stands still
        return scene[pad_y : pad_y + style.height, pad_x : pad_x + style.width].copy()
    shifted = view.copy()
    shifted[:, 2] -= view[:, :2] @ (pad_x, pad_y)
    size = (style.width, style.height)
    return np.asarray(
        cv2.warpAffine(scene, shifted, size, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def draw_finish(
    light: Light, sensor: Sensor, rng: np.random.Generator, shape: tuple[int, int, int]
) -> Finish:
    """A finish for `shape` (frames, height, width)."""
    count, height, width = shape
    warmth = rng.uniform(*light.warmth)
    level = rng.uniform(*light.level) * (1 + light.flicker * rng.normal(size=(count, 1)))
    noise = rng.normal(0.0, rng.uniform(*sensor.noise), (height + 64, width + 64, 3))
    return Finish(
        gains=level * np.exp([[warmth / 2, 0.0, -warmth / 2]]),
        blur=float(rng.uniform(*sensor.blur)),
        brighter=np.clip(np.rint(noise), 0, 255).astype(np.uint8),
        darker=np.clip(np.rint(-noise), 0, 255).astype(np.uint8),
        cuttings=rng.integers(0, 64, (count, 2)),
    )


def _darken(frame: Image, centre: tuple[float, float], radii: tuple[float, float]) -> None:
    """Darkens an ellipse with soft edges, as a person's shadow does."""
    height, width = frame.shape[:2]
    left, right = int(centre[0] - radii[0]), int(centre[0] + radii[0]) + 1
    top, bottom = int(centre[1] - radii[1]), int(centre[1] + radii[1]) + 1
    left, right, top, bottom = max(left, 0), min(right, width), max(top, 0), min(bottom, height)
    if left >= right or top >= bottom:
        return
    x = (np.arange(left, right) - centre[0]) / radii[0]
    y = (np.arange(top, bottom)[:, None] - centre[1]) / radii[1]
    light = 1 - 0.45 * np.clip(1 - x**2 - y**2, 0, 1)[..., None]
    frame[top:bottom, left:right] = (frame[top:bottom, left:right] * light).astype(np.uint8)
