"""Features of the twins by somebody's own extractor, as files of `dataset: imported`."""

import hashlib
import shlex
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.feature_archive import save
from benchmarks.scenes import Dealt, DomainName
from pipeline import feature_files
from pipeline.datasets.disk import shortened
from pipeline.errors import UserError

DOMAINS: tuple[DomainName, ...] = ("source", "target")


def write(command: str, work: Path, raw: Path, made: Sequence[Dealt]) -> None:
    """Extracts both domains at once and writes RAW/twins_<domain>/features.npz.

    Features that the same command has made already are kept.

    Args:
        command: with {videos}, the folder, and {out}, the .npz file to write; no shell reads it.
        work: the folder with source/ and target/.
        raw: data/raw.
        made: the videos of both domains, whose names the keys have to be.

    Raises:
        UserError: a command without the two places, one that fails, or what is wrong with its file.
    """
    if "{videos}" not in command or "{out}" not in command:
        raise UserError(f"--extract: expected a command with {{videos}} and {{out}}: {command!r}")
    with ThreadPoolExecutor(len(DOMAINS)) as pool:
        files = list(pool.map(lambda domain: _extracted(command, work, domain), DOMAINS))
    for domain, file in zip(DOMAINS, files, strict=True):
        rows = {row.video: row for row in made if row.domain == domain}
        _write_domain(file, raw / f"twins_{domain}/features.npz", rows)


def _extracted(command: str, work: Path, domain: DomainName) -> Path:
    digest = hashlib.sha256(command.encode()).hexdigest()[:8]
    out = work / f"features-{digest}" / f"{domain}.npz"
    if out.exists():
        return out
    # numpy adds .npz to a name without it
    aside = out.with_name(f"{domain}.partial.npz")
    aside.parent.mkdir(exist_ok=True)
    places = {"{videos}": str(work / domain), "{out}": str(aside)}
    words = shlex.split(command)
    for place, path in places.items():
        words = [word.replace(place, path) for word in words]
    try:
        subprocess.run(words, check=True)
    except (OSError, subprocess.CalledProcessError) as fault:
        raise UserError(f"--extract: {fault}; try the command by hand") from None
    if not aside.is_file():
        raise UserError(f"--extract: {command!r} ended well and wrote no {aside}")
    aside.replace(out)
    return out


def _write_domain(file: Path, out: Path, rows: dict[str, Dealt]) -> None:
    found = feature_files.read(file)
    wrong = sorted(set(found.keys) ^ set(rows))
    if wrong:
        raise UserError(
            f"{file}: expected the videos of videos.csv as keys, <class>/<name>; these are only in "
            f"one of the two; mend the extractor and remove the file:\n{shortened(wrong)}"
        )
    labels = np.array([rows[key].label for key in found.keys], dtype=str)
    splits = np.array([rows[key].split for key in found.keys], dtype=str)
    with np.load(file, allow_pickle=False) as arrays:
        kept = {name: arrays[name] for name in ("key", "rgb", "flow")}
        if "extractor" in arrays:
            kept["extractor"] = arrays["extractor"]
    save(out, kept | {"label": labels, "split": splits})
