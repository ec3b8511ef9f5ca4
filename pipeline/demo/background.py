"""Places behind the people: painted once per video, as RGB images of any size."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Painter = Callable[[np.random.Generator, int, int, int], Image]
"""(rng, height, width, horizon) -> image (height, width, 3); below the row `horizon` is ground."""


def draw_colour(
    rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> Colour:
    """A colour of any hue, with saturation and value in the given parts of [0, 1]."""
    hsv = [rng.uniform(0, 180), 255 * rng.uniform(*saturation), 255 * rng.uniform(*value)]
    red, green, blue = cv2.cvtColor(np.array([[hsv]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue


def texture(rng: np.random.Generator, image: Image, strength: float, grain: int) -> Image:
    """Adds blotches of about `grain` pixels and `strength` grey levels (standard deviation)."""
    height, width = image.shape[:2]
    coarse = rng.normal(0.0, strength, (height // grain + 2, width // grain + 2, 1))
    blotches = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    return np.clip(image + blotches, 0, 255).astype(np.uint8)


def paint_studio(rng: np.random.Generator, height: int, width: int, horizon: int) -> Image:
    """A plain wall and a floor, softly lit from one side; at times a mat or a dado."""
    wall = np.array(draw_colour(rng, (0.05, 0.3), (0.6, 0.9)), float)
    floor = np.array(draw_colour(rng, (0.05, 0.35), (0.35, 0.7)), float)
    image = np.empty((height, width, 3))
    image[:horizon], image[horizon:] = wall, floor
    if rng.uniform() < 0.4:
        image[int(horizon * rng.uniform(0.6, 0.8)) : horizon] *= rng.uniform(0.8, 0.95)
    image[horizon : horizon + 3] *= 0.75
    across = np.linspace(-1, 1, width)[None, :, None] * rng.uniform(-0.12, 0.12)
    down = np.linspace(1.05, 0.92, height)[:, None, None]
    return texture(rng, np.clip(image * (1 + across) * down, 0, 255).astype(np.uint8), 2.0, 3)


def paint_street(rng: np.random.Generator, height: int, width: int, horizon: int) -> Image:
    """Sky, house fronts with windows and shops, trees, lamp posts, kerb and road."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = draw_colour(rng, (0.1, 0.5), (0.5, 0.9))
    left = -int(rng.integers(width // 6))
    while left < width:
        wide = int(width * rng.uniform(0.12, 0.3))
        _house(rng, image, left, int(horizon * rng.uniform(-0.2, 0.5)), left + wide, horizon)
        left += wide
    image[horizon:] = draw_colour(rng, (0.0, 0.2), (0.3, 0.6))
    kerb = horizon + int((height - horizon) * rng.uniform(0.15, 0.4))
    image[kerb:] = draw_colour(rng, (0.0, 0.15), (0.15, 0.45))
    cv2.line(image, (0, kerb), (width, kerb), draw_colour(rng, (0.0, 0.2), (0.6, 0.9)), 2)
    for _ in range(rng.integers(2, 6)):
        _tree(rng, image, int(rng.integers(width)), horizon)
    for _ in range(rng.integers(2, 7)):
        across, top = int(rng.integers(width)), int(horizon * rng.uniform(0.1, 0.7))
        colour = draw_colour(rng, (0.0, 0.5), (0.1, 0.6))
        cv2.rectangle(image, (across, top), (across + int(rng.integers(2, 6)), kerb), colour, -1)
    return texture(rng, texture(rng, image, 9.0, 2), 12.0, 17)


def _house(
    rng: np.random.Generator, image: Image, left: int, top: int, right: int, bottom: int
) -> None:
    cv2.rectangle(
        image, (left, top), (right, bottom), draw_colour(rng, (0.1, 0.6), (0.25, 0.8)), -1
    )
    columns, rows = int(rng.integers(2, 6)), int(rng.integers(2, 6))
    wide, high = (right - left) / columns, (bottom - top) / rows
    pane = draw_colour(rng, (0.1, 0.5), (0.1, 0.9))
    share = rng.uniform(0.4, 0.75)
    for column in range(columns):
        for row in range(rows):
            x, y = left + wide * (column + 0.5 - share / 2), top + high * (row + 0.2)
            corner = (int(x + wide * share), int(y + high * share))
            cv2.rectangle(image, (int(x), int(y)), corner, pane, -1)
    shop = draw_colour(rng, (0.3, 0.9), (0.3, 0.9))
    cv2.rectangle(image, (left, int(bottom - 0.25 * high)), (right, bottom), shop, -1)


def _tree(rng: np.random.Generator, image: Image, across: int, foot: int) -> None:
    size = image.shape[0] * rng.uniform(0.05, 0.12)
    crown = foot - size * rng.uniform(2.0, 3.5)
    cv2.line(image, (across, foot), (across, int(crown)), (70, 55, 40), max(2, int(size / 4)))
    for _ in range(14):
        at = (int(across + rng.normal(0, size * 0.6)), int(crown + rng.normal(0, size * 0.6)))
        green = (int(rng.uniform(20, 90)), int(rng.uniform(60, 140)), int(rng.uniform(20, 70)))
        cv2.circle(image, at, int(size * rng.uniform(0.3, 0.7)), green, -1, cv2.LINE_AA)
