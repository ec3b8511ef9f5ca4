"""Writes a domain's features as plain NumPy files, for programs that read no HDF5.

    python -m pipeline.feature_export DOMAIN FOLDER [--a-file-a-video]

Reads   data/features/DOMAIN, data/index/DOMAIN/{videos,labels}.csv
Writes  into a new FOLDER: rgb.npy and flow.npy, (n, T, W, d) float32, or with --a-file-a-video
        rgb/<video>.npy and flow/<video>.npy, (T, W, d); videos.csv (video, split, and label if
        any is known), a row a video in the order of the arrays; extractor.txt; provenance.json

Such a folder is also what a domain of `dataset: imported` may hold: the same features come back.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

import pipeline.stages
from pipeline import atomic, command_line, index, listed_features, paths, store, tables
from pipeline.errors import UserError
from pipeline.fingerprint import fingerprint
from pipeline.index import Video


def export(
    held: store.Store,
    videos: Sequence[Video],
    labels: Mapping[str, str],
    folder: Path,
    *,
    a_file_a_video: bool = False,
) -> None:
    """Writes the features of some videos, in the store's order; `folder` appears whole or not.

    Args:
        held: features of at least these videos.
        videos: of the domain's index.
        labels: key -> class name, as far as known.
        folder: is made.
        a_file_a_video: two files a video, in place of two in all.

    Raises:
        UserError: `folder` is there already, a video that the store lacks, or, with a file a video,
            one whose name is no path.
    """
    if folder.exists():
        raise UserError(f"{folder}: is there already; name a folder that is yet to be made")
    rows = sorted(videos, key=lambda video: video.key)
    rgb, flow = (part.numpy() for part in held.windows([video.key for video in rows]))
    with atomic.new_folder(folder) as aside:
        for stream, values in (("rgb", rgb), ("flow", flow)):
            if not a_file_a_video:
                np.save(aside / f"{stream}.npy", values)
                continue
            for video, own in zip(rows, values, strict=True):
                path = aside / stream / f"{_path(video.key)}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, own)
        tables.write(aside / listed_features.TABLE, [_row(video, labels) for video in rows])
        text = json.dumps(held.provenance, indent=2, sort_keys=True, ensure_ascii=False)
        (aside / "provenance.json").write_text(text + "\n", encoding="utf-8")
        if extractor := _extractor(held.provenance):
            (aside / listed_features.EXTRACTOR).write_text(extractor + "\n", encoding="utf-8")


def _path(key: str) -> str:
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts or str(path) != key:
        raise UserError(f"{key!r} is no path for a file; leave --a-file-a-video out")
    return key


def _row(video: Video, labels: Mapping[str, str]) -> tables.Row:
    """A row of videos.csv; without any label there is no such column."""
    known = {"label": labels.get(video.key, "")} if labels else {}
    return {"video": video.key, **known, "split": video.split}


def _extractor(provenance: Mapping[str, Any]) -> str | None:
    """What made the features, so that others are not taken for them; None: nobody said so."""
    backbone = provenance["features"]["backbone"]
    if backbone == "imported":
        named: str | None = provenance["imported"].get("extractor")
        return named
    return f"vidshift {backbone}, provenance {fingerprint(**provenance)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the folder and says what is in it.

    Raises UserError: see `export`, or a file that cannot be read or written.
    """
    parser = command_line.parser("feature_export", __doc__)
    parser.add_argument("domain", help="a name under `domains` in params.yaml")
    parser.add_argument("folder", type=Path, help="yet to be made")
    parser.add_argument("--a-file-a-video", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        held = store.load(paths.features(chosen.domain))
        videos = index.read_videos(paths.videos(chosen.domain))
        labels = index.read_labels(paths.labels(chosen.domain))
        export(held, videos, labels, chosen.folder, a_file_a_video=chosen.a_file_a_video)
    except OSError as fault:
        raise UserError(str(fault)) from None
    _, segments, windows, dim = held.rgb.shape
    shape = f"T = {segments}, W = {windows}, d = {dim}"
    print(f"{chosen.folder}: {len(videos)} videos, {shape}, rgb and flow")


if __name__ == "__main__":
    pipeline.stages.run(main, "interrupted: no folder was written")
