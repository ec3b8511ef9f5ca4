"""Imported features as rows of the feature store: no frames, no network, no labels."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import feature_files, listed_features
from pipeline.errors import UserError
from pipeline.fingerprint import fingerprint
from pipeline.index import Video
from pipeline.store import VideoFeatures

VERSION = 1  # raise it when the rows of unchanged files change


def rows(
    root: Path, videos: Sequence[Video], segments: int
) -> tuple[dict[str, VideoFeatures], dict[str, Any]]:
    """Reads the files that hold the videos, below `root` -> a row a key, and the provenance.

    The provenance is what two domains must have in common, not which files they came from.
    `segments`: T, into which files of one video that hold steps in time are averaged.

    Raises UserError: a faulty file, or a video that is not in it.
    """
    wanted = {video.key for video in videos}
    found: dict[str, VideoFeatures] = {}
    kind: dict[str, Any] = {}
    for file in _files(root, videos, segments):
        kind = file.kind
        streams = zip(file.keys, file.rgb, file.flow, strict=True)
        found |= {key: _row(rgb, flow) for key, rgb, flow in streams if key in wanted}
    absent = sorted(wanted - found.keys())
    if absent:
        raise UserError(
            f"{root}: {len(absent)} videos of the index are in none of its files, {absent[0]!r} "
            "first; run `dvc repro` to index it anew"
        )
    return found, {"version": VERSION, "features": {"backbone": "imported"}, "imported": kind}


def _files(
    root: Path, videos: Sequence[Video], segments: int
) -> Iterator[feature_files.FeatureFile]:
    if (root / listed_features.TABLE).is_file():
        wanted = {video.key for video in videos}
        return feature_files.alike(listed_features.read(root, wanted, segments))
    return feature_files.read_all([root / path for path in sorted({v.path for v in videos})])


def _row(rgb: NDArray[np.float32], flow: NDArray[np.float32]) -> VideoFeatures:
    """One video's row from its features (T, W, d); of its frames nothing is known."""
    digests = [hashlib.sha256(part.tobytes()).hexdigest() for part in (rgb, flow)]
    return VideoFeatures(
        fingerprint=fingerprint(version=VERSION, shape=rgb.shape, streams=digests),
        rgb=rgb,
        flow=flow,
        frames=np.empty((*rgb.shape[:2], 0), np.int32),
        n_frames=0,
        fps=float("nan"),
    )
