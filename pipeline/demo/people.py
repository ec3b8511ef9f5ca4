"""What a person looks like, and drawing one from projected joints."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.background import Colour, Image, draw_colour
from pipeline.demo.figure import JOINT, Array, Build

SUBPIXEL = 4  # bits of a pixel's fraction in OpenCV's drawing calls
UNIT = 2**SUBPIXEL
SKIN = ((244, 208, 177), (224, 172, 125), (198, 134, 86), (141, 85, 54), (92, 58, 40))
HAIR = ((25, 20, 18), (70, 45, 25), (120, 80, 45), (190, 150, 90), (150, 150, 150))
TRUNK = ("shoulder_left", "shoulder_right", "hip_right", "hip_left")
# (from, to, radius at both ends in body heights, what covers it); once for either side
LIMBS = (
    ("hip", "knee", 0.056, 0.042, "trousers"),
    ("knee", "ankle", 0.042, 0.028, "shins"),
    ("ankle", "toe", 0.029, 0.022, "shoes"),
    ("shoulder", "elbow", 0.036, 0.029, "shirt"),
    ("elbow", "hand", 0.028, 0.021, "forearms"),
    ("hand", "hand", 0.027, 0.027, "skin"),
)


@dataclass(frozen=True)
class Clothes:
    """Colours (RGB) of what covers a person."""

    shirt: Colour
    forearms: Colour
    trousers: Colour
    shins: Colour
    shoes: Colour
    skin: Colour
    hair: Colour


def draw_clothes(rng: np.random.Generator) -> Clothes:
    """Any colours; sleeves and trousers long or short."""
    shirt = draw_colour(rng, (0.1, 0.9), (0.15, 0.9))
    trousers = draw_colour(rng, (0.1, 0.8), (0.1, 0.7))
    skin = SKIN[rng.integers(len(SKIN))]
    return Clothes(
        shirt=shirt,
        forearms=shirt if rng.uniform() < 0.5 else skin,
        trousers=trousers,
        shins=trousers if rng.uniform() < 0.7 else skin,
        shoes=draw_colour(rng, (0.0, 0.7), (0.05, 0.95)),
        skin=skin,
        hair=HAIR[rng.integers(len(HAIR))],
    )


def draw_build(rng: np.random.Generator) -> Build:
    """A body: lengths within about a tenth of the average, girth within a fifth."""
    usual = Build()
    arms, legs = rng.uniform(0.92, 1.08, 2)
    return Build(
        torso=usual.torso * rng.uniform(0.92, 1.08),
        neck=usual.neck * rng.uniform(0.95, 1.1),
        head=usual.head * rng.uniform(0.9, 1.12),
        upper_arm=usual.upper_arm * arms,
        forearm=usual.forearm * arms,
        thigh=usual.thigh * legs,
        shin=usual.shin * legs,
        foot=usual.foot * rng.uniform(0.9, 1.1),
        shoulders=usual.shoulders * rng.uniform(0.88, 1.15),
        hips=usual.hips * rng.uniform(0.9, 1.2),
        girth=float(rng.uniform(0.85, 1.25)),
    )


def draw_capsule(
    frame: Image, start: Array, end: Array, radii: tuple[float, float], colour: Colour
) -> None:
    """Draws a rounded bar from `start` to `end` (x, y), with its radii in pixels."""
    (x0, y0), (x1, y1) = start.tolist(), end.tolist()
    length = math.hypot(x1 - x0, y1 - y0)
    if length > 1e-3:
        right, down = (y0 - y1) / length, (x1 - x0) / length  # unit vector across the bar
        corners = [
            (x0 + right * radii[0], y0 + down * radii[0]),
            (x1 + right * radii[1], y1 + down * radii[1]),
            (x1 - right * radii[1], y1 - down * radii[1]),
            (x0 - right * radii[0], y0 - down * radii[0]),
        ]
        cv2.fillConvexPoly(frame, fixed(corners), colour, cv2.LINE_AA, SUBPIXEL)
    draw_disc(frame, (x0, y0), radii[0], colour)
    draw_disc(frame, (x1, y1), radii[1], colour)


def draw_disc(frame: Image, centre: Sequence[float], radius: float, colour: Colour) -> None:
    """Draws a filled circle around `centre` (x, y)."""
    at = (round(centre[0] * UNIT), round(centre[1] * UNIT))
    cv2.circle(frame, at, max(1, round(radius * UNIT)), colour, -1, cv2.LINE_AA, SUBPIXEL)


def fixed(points: Sequence[Sequence[float]]) -> NDArray[np.int32]:
    """Points (n, 2) in OpenCV's fixed-point pixels."""
    return np.array([(round(x * UNIT), round(y * UNIT)) for x, y in points], np.int32)


def draw_person(
    frame: Image, at: Array, depth: Array, scale: float, build: Build, clothes: Clothes
) -> None:
    """Draws a person, far parts first and darker.

    Args:
        frame: (height, width, 3), drawn upon.
        at: (joints, 2) pixel positions (x, y).
        depth: (joints,) towards the camera, in body heights.
        scale: pixels per body height.
        build: proportions.
        clothes: colours.
    """
    thick = scale * build.girth
    parts = [(float(depth[JOINT["neck"]] + depth[JOINT["pelvis"]]) / 2, -1, "trunk")]
    for side in ("left", "right"):
        for number, (start, end, *_) in enumerate(LIMBS):
            middle = depth[JOINT[f"{start}_{side}"]] + depth[JOINT[f"{end}_{side}"]]
            parts.append((float(middle) / 2, number, side))
    trunk_depth = parts[0][0]
    for near, number, side in sorted(parts):
        shade = 1.0 + min(0.12, max(-0.25, 1.6 * (near - trunk_depth)))
        if number < 0:
            _draw_trunk(frame, at, thick, clothes)
            _draw_head(frame, at, scale * build.head, clothes)
            continue
        first, last, *radii, cover = LIMBS[number]
        ends = at[JOINT[f"{first}_{side}"]], at[JOINT[f"{last}_{side}"]]
        colour = _shaded(getattr(clothes, cover), shade)
        draw_capsule(frame, *ends, (radii[0] * thick, radii[1] * thick), colour)


def _draw_trunk(frame: Image, at: Array, thick: float, clothes: Clothes) -> None:
    neck, pelvis = at[JOINT["neck"]], at[JOINT["pelvis"]]
    waist = pelvis + 0.25 * (neck - pelvis)
    corners = [at[JOINT[name]].tolist() for name in TRUNK]
    draw_capsule(frame, pelvis, waist, (0.078 * thick, 0.075 * thick), clothes.trousers)
    cv2.fillConvexPoly(frame, fixed(corners), clothes.shirt, cv2.LINE_AA, SUBPIXEL)
    draw_capsule(frame, waist, neck, (0.078 * thick, 0.062 * thick), clothes.shirt)


def _draw_head(frame: Image, at: Array, radius: float, clothes: Clothes) -> None:
    neck, head = at[JOINT["neck"]], at[JOINT["head"]]
    up = (head - neck) / max(float(np.hypot(*(head - neck))), 1e-3)
    draw_capsule(frame, neck, head, (0.5 * radius, 0.5 * radius), clothes.skin)
    draw_disc(frame, head + 0.22 * radius * up, 1.02 * radius, clothes.hair)
    draw_disc(frame, head - 0.18 * radius * up, 0.9 * radius, clothes.skin)


def _shaded(colour: Colour, shade: float) -> Colour:
    red, green, blue = (min(255, round(channel * shade)) for channel in colour)
    return red, green, blue
