"""Textures of known motion, made of plane waves: each frame is exact, without interpolation."""

from dataclasses import dataclass

import numpy as np

Size = tuple[int, int]  # width and height, px


@dataclass(frozen=True)
class Wave:
    """A pair of frames and the true flow between them."""

    pair: np.ndarray  # uint8 (2, h, w)
    flow: np.ndarray  # float64 (2, h, w), px


def moving(size: Size, seed: int, shift: float = 4) -> Wave:
    """Waves of 5 to 60 px that turn by up to 2 degrees, grow by up to 3 %, move by `shift` px."""
    drawn = np.random.default_rng(seed)
    width, height = size
    x, y = np.meshgrid(np.arange(width) - width / 2, np.arange(height) - height / 2)
    turn = np.exp(1j * np.deg2rad(drawn.uniform(-2, 2))) * drawn.uniform(0.97, 1.03)
    step = shift * np.exp(2j * np.pi * drawn.uniform())
    place = x + 1j * y
    before = (place - step) / turn  # where the second frame's pixels have been
    length, angle = 5 * 12 ** drawn.uniform(size=48), drawn.uniform(0, 2 * np.pi, 48)
    number, phase = 2 * np.pi / length * np.exp(1j * angle), drawn.uniform(0, 2 * np.pi, 48)
    waves = list(zip(number, phase, np.sqrt(length), strict=True))
    frames = np.stack(
        [
            sum(weight * np.cos((np.conj(k) * at).real + start) for k, start, weight in waves)
            for at in (place, before)
        ]
    )
    low, high = frames[0].min(), frames[0].max()
    pair = np.clip(255 * (frames - low) / (high - low), 0, 255).astype(np.uint8)
    motion = place * turn + step - place
    return Wave(pair, np.stack([motion.real, motion.imag]))
