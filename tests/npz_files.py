"""Small .npz files of features, right but for what a test changes."""

from pathlib import Path
from typing import Any

import numpy as np

SEGMENTS, WINDOWS, DIM = 2, 1, 4


def arrays(*keys: str, seed: int = 0, **changed: Any) -> dict[str, Any]:
    """Features of videos with these names; None takes an array away."""
    generator = np.random.default_rng(seed)
    rgb, flow = generator.normal(size=(2, len(keys), SEGMENTS, DIM)).astype(np.float32)
    whole = {"key": np.array(keys, dtype=str), "rgb": rgb, "flow": flow, **changed}
    return {name: np.asarray(array) for name, array in whole.items() if array is not None}


def save(path: Path, *keys: str, seed: int = 0, **changed: Any) -> Path:
    """Writes such a file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays(*keys, seed=seed, **changed))
    return path
