"""The staging store: finished per-video work, kept outside DVC's outputs.

DVC deletes a stage's outputs before it runs the stage again. What was computed for a video
therefore lives here first, one file an entry, named by its fingerprint; the stage publishes its
outputs from it. A killed run loses only the videos in work, ten new videos cost ten, and a
changed parameter can never meet an old row, because its fingerprint differs.

A domain's folder holds one copy of what its outputs hold: publishing prunes everything else.

    python -m pipeline.staging           shows what the store holds
    python -m pipeline.staging --clear   empties it; DVC's outputs and cache stay as they are
"""

import argparse
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline import atomic
from pipeline.errors import UserError


def root() -> Path:
    """The store's folder; experiments in temporary workspaces share their repository's."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".staging"


@dataclass(frozen=True)
class Staging:
    """The entries of one stage for one domain."""

    stage: str
    domain: str

    @property
    def folder(self) -> Path:
        """Where the entries are."""
        return root() / self.stage / self.domain

    def path(self, fingerprint: str) -> Path:
        """Where the entry of a fingerprint is, or would be."""
        return self.folder / fingerprint

    def write(self, fingerprint: str, content: bytes) -> None:
        """Adds an entry, whole or not at all. Raises UserError if the disk refuses it."""
        try:
            atomic.write_file(self.path(fingerprint), content)
        except OSError as fault:
            raise UserError(
                f"{self.folder}: cannot be written ({fault.strerror}); make room or mend its "
                "rights; the next run goes on from here"
            ) from None

    def prune(self, keep: Collection[str]) -> int:
        """Deletes all entries but `keep`, and what a crash left half-written; counts them."""
        doomed = [path for path in self.folder.iterdir() if path.name not in keep]
        for path in doomed:
            path.unlink()
        return len(doomed)

    @contextmanager
    def lock(self, part: str = "") -> Iterator[None]:
        """Keeps other runs of this stage and domain, or of its part, out; waits for their end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root() / self.stage / f".{self.domain}{part}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"{self.stage} {self.domain}: waiting for another run of it", file=sys.stderr)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def _stored() -> list[Staging]:
    """All stages and domains that have a folder in the store."""
    folders = sorted(path for path in root().glob("*/*") if path.is_dir())
    return [Staging(folder.parent.name, folder.name) for folder in folders]


def _clear() -> None:
    for staging in _stored():
        with staging.lock():
            staging.prune(keep=())


def _show() -> None:
    total = 0
    for staging in _stored():
        sizes = [path.stat().st_size for path in staging.folder.iterdir()]
        total += sum(sizes)
        print(f"{staging.stage} {staging.domain}: {len(sizes)} entries, {sum(sizes) / 1e6:.1f} MB")
    print(f"{root()}: {total / 1e6:.1f} MB in all")


def main() -> None:
    """Shows or clears the store."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.staging", description="Shows what the staging store holds."
    )
    parser.add_argument("--clear", action="store_true", help="delete every entry first")
    if parser.parse_args().clear:
        _clear()
    _show()


if __name__ == "__main__":
    main()
