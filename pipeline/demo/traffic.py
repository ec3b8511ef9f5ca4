"""What else moves or stands in the way: passers-by, vehicles, posts. Positions in scene pixels."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.demo.background import Colour, Image, draw_colour
from pipeline.demo.figure import Array
from pipeline.demo.people import HAIR, SKIN, SUBPIXEL, draw_capsule, draw_disc, fixed
from pipeline.demo.style import Style


@dataclass(frozen=True)
class PasserBy:
    """Somebody far off who goes by: a head, a body and two legs that take turns."""

    start: Array  # (2,) where the feet are at time 0
    speed: float  # pixels per second, to the right
    size: float  # height in pixels
    rhythm: float  # strides per second
    body: Colour
    legs: Colour
    skin: Colour
    hair: Colour

    def draw(self, frame: Image, view: Array, time: float) -> None:
        """Draws the passer-by at `time` in seconds, through `view` (2, 3)."""
        feet = view[:, :2] @ (self.start + np.array([self.speed * time, 0.0])) + view[:, 2]
        hips, chest = feet - (0, 0.47 * self.size), feet - (0, 0.74 * self.size)
        step = 0.16 * self.size * np.sin(2 * np.pi * self.rhythm * time)
        thin = 0.045 * self.size
        for side in (step, -step):
            draw_capsule(frame, hips, feet + np.array([side, 0.0]), (thin, thin), self.legs)
        draw_capsule(frame, hips, chest, (2 * thin, 2 * thin), self.body)
        draw_disc(frame, feet - (0, 0.92 * self.size), 1.6 * thin, self.hair)
        draw_disc(frame, feet - (0, 0.90 * self.size), 1.4 * thin, self.skin)


@dataclass(frozen=True)
class Vehicle:
    """A car or van that drives by."""

    start: Array  # (2,) where the middle of its underside is at time 0
    speed: float
    length: float
    height: float
    paint: Colour

    def draw(self, frame: Image, view: Array, time: float) -> None:
        """Draws the vehicle at `time` in seconds, through `view` (2, 3)."""
        x, y = view[:, :2] @ (self.start + np.array([self.speed * time, 0.0])) + view[:, 2]
        long, high = self.length / 2, self.height
        cabin = np.array([(-0.75, 0.5), (-0.5, 1.0), (0.35, 1.0), (0.7, 0.5)])
        body = np.array([(-1.0, 0.12), (-1.0, 0.55), (1.0, 0.5), (1.0, 0.12)])
        for outline, colour in ((cabin, (40, 48, 58)), (body, self.paint)):
            corners = fixed((outline * (long, -high) + (x, y)).tolist())
            cv2.fillConvexPoly(frame, corners, colour, cv2.LINE_AA, SUBPIXEL)
        for wheel in (-0.6, 0.6):
            draw_disc(frame, (x + wheel * long, y - 0.12 * high), 0.17 * high, (20, 20, 20))


@dataclass(frozen=True)
class Post:
    """A bollard or sign post between the camera and the person."""

    foot: Array  # (2,)
    height: float
    width: float
    paint: Colour

    def draw(self, frame: Image, view: Array, time: float) -> None:
        """Draws the post, which does not care for `time`, through `view` (2, 3)."""
        foot = view[:, :2] @ self.foot + view[:, 2]
        half = self.width / 2
        draw_capsule(frame, foot, foot - (0, self.height), (half, half), self.paint)


def draw_traffic(style: Style, rng: np.random.Generator) -> list[PasserBy | Vehicle]:
    """What goes by behind the person, farthest first."""
    kerb = style.height * sum(style.horizon) / 2
    walkers = [_passer_by(style, rng, kerb) for _ in range(_count(rng, style.clutter.passers_by))]
    cars = [_vehicle(style, rng, kerb) for _ in range(_count(rng, style.clutter.vehicles))]
    return sorted([*walkers, *cars], key=lambda mover: float(mover.start[1]))


def draw_posts(style: Style, rng: np.random.Generator) -> list[Post]:
    """What stands before the person."""
    posts = []
    for _ in range(_count(rng, style.clutter.posts)):
        foot = np.array([rng.uniform(0, style.width), style.height * rng.uniform(0.97, 1.05)])
        height = style.height * rng.uniform(0.15, 0.55)
        width = style.height * rng.uniform(0.015, 0.035)
        posts.append(Post(foot, height, width, draw_colour(rng, (0.0, 0.6), (0.15, 0.7))))
    return posts


def _count(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    return int(rng.integers(limits[0], limits[1] + 1))


def _passer_by(style: Style, rng: np.random.Generator, kerb: float) -> PasserBy:
    near = rng.uniform(0.0, 0.12)
    size = style.height * (0.16 + near)
    return PasserBy(
        start=np.array([rng.uniform(-0.1, 1.1) * style.width, kerb + style.height * near]),
        speed=float(rng.choice([-1, 1]) * rng.uniform(0.3, 0.9) * size),
        size=float(size),
        rhythm=float(rng.uniform(0.8, 1.1)),
        body=draw_colour(rng, (0.1, 0.8), (0.15, 0.8)),
        legs=draw_colour(rng, (0.0, 0.6), (0.1, 0.5)),
        skin=SKIN[rng.integers(len(SKIN))],
        hair=HAIR[rng.integers(len(HAIR))],
    )


def _vehicle(style: Style, rng: np.random.Generator, kerb: float) -> Vehicle:
    way = float(rng.choice([-1, 1]))
    length = style.width * rng.uniform(0.2, 0.32)
    start = style.width * (0.5 - way * rng.uniform(0.2, 0.9))
    return Vehicle(
        start=np.array([start, kerb + style.height * rng.uniform(0.05, 0.14)]),
        speed=float(way * style.width * rng.uniform(0.2, 0.6)),
        length=float(length),
        height=float(length * rng.uniform(0.34, 0.5)),
        paint=draw_colour(rng, (0.0, 0.8), (0.2, 0.9)),
    )
