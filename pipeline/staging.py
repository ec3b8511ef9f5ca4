"""The staging store: finished per-video work, kept outside DVC's outputs.

DVC deletes a stage's outputs before it runs the stage again. What was computed for a video
therefore lives here first, one file an entry, named by its fingerprint; the stage publishes its
outputs from it. A killed run loses only the videos in work, ten new videos cost ten, and a
changed parameter can never meet an old row, because its fingerprint differs.

A domain's folder holds one copy of what its outputs hold: publishing prunes everything else.

An entry ends in a seal, its length and checksum. What lost its end in a power cut is no entry, and
what was damaged otherwise is told and taken away when it is read: neither is ever published.

    python -m pipeline.staging           shows what the store holds
    python -m pipeline.staging --clear   empties it: the next run computes everything anew;
                                         DVC's outputs and cache stay as they are
"""

import argparse
import os
import struct
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.one_at_a_time import alone

_SEAL = struct.Struct("<8sQI")  # the mark, the length of the entry, its CRC-32
_MARK = b"vidshift"
_CLEARED = ".cleared"  # a file that stands for --clear until the next publishing


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

    def holds(self, fingerprint: str) -> bool:
        """Whether an entry is there in its full length; its bytes are not looked at."""
        try:
            with self.path(fingerprint).open("rb") as file:
                size = file.seek(0, os.SEEK_END) - _SEAL.size
                file.seek(max(0, size))
                mark, length, _ = _SEAL.unpack(file.read())
        except (FileNotFoundError, struct.error):
            return False
        return (mark, length) == (_MARK, size)

    def size(self, fingerprint: str) -> int:
        """Bytes of an entry."""
        return self.path(fingerprint).stat().st_size - _SEAL.size

    def read(self, fingerprint: str) -> bytes:
        """An entry.

        Raises UserError if it is not what was written; then all that are so are taken away.
        """
        content = _unsealed(self.path(fingerprint).read_bytes())
        if content is None:
            raise UserError(
                f"{self.folder}: {self.sweep()} entries were damaged since they were written, and "
                "are taken away; run `dvc repro` again, which makes them anew"
            )
        return content

    def write(self, fingerprint: str, content: bytes) -> None:
        """Adds an entry, whole or not at all. Raises UserError if the disk refuses it."""
        try:
            atomic.write_file(self.path(fingerprint), sealed(content))
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

    def sweep(self) -> int:
        """Deletes the entries that are not what was written, and counts them."""
        damaged = [path for path in self._entries() if _unsealed(path.read_bytes()) is None]
        for path in damaged:
            path.unlink()
        return len(damaged)

    def clear(self) -> None:
        """Deletes all entries, and notes that nothing is to be taken over from elsewhere."""
        self.prune(keep=())
        (self.folder / _CLEARED).touch()

    @property
    def cleared(self) -> bool:
        """Whether everything is to be computed anew."""
        return (self.folder / _CLEARED).exists()

    def sizes(self) -> list[int]:
        """Bytes of each entry."""
        return [path.stat().st_size - _SEAL.size for path in self._entries()]

    def _entries(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if not path.name.startswith(".")]

    @contextmanager
    def lock(self, part: str = "") -> Iterator[None]:
        """Keeps other runs of this stage and domain, or of its part, out; waits for their end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = root() / self.stage / f".{self.domain}{part}.lock"
        with alone(lock, f"{self.stage} {self.domain}"):
            yield


def sealed(content: bytes) -> bytes:
    """An entry as it stands on disk: what it holds, then a seal by which damage shows."""
    return content + _SEAL.pack(_MARK, len(content), zlib.crc32(content))


def _unsealed(stored: bytes) -> bytes | None:
    """What was sealed, or None if it is that no more."""
    content = stored[: -_SEAL.size]
    return content if stored == sealed(content) else None


def stored() -> list[Staging]:
    """All stages and domains that have a folder in the store."""
    folders = sorted(path for path in root().glob("*/*") if path.is_dir())
    return [Staging(folder.parent.name, folder.name) for folder in folders]


def _clear() -> None:
    for staging in stored():
        with staging.lock():
            staging.clear()


def _show() -> None:
    total = 0
    for staging in stored():
        sizes = staging.sizes()
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
