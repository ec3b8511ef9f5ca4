"""A split for data sets that come without one."""

import hashlib

from pipeline.datasets.listing import Split

TRAIN_SHARE = 0.7


def hashed_split(key: str) -> Split:
    """Train for about 70 of 100 keys, by SHA-256 of the key alone.

    A video keeps its split whatever other videos are added or taken away, so about 70/30 holds
    in every class, and only about: of a class with few videos all may fall on one side.
    """
    digest = hashlib.sha256(key.encode()).digest()
    fraction = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if fraction < TRAIN_SHARE else "test"
