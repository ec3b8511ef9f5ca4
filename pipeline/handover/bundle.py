"""The files of a model that is handed over, and their digests, which `sha256sum -c` checks too."""

import re
import shutil
from pathlib import Path

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.fingerprint import file_hash

SUMS = "SHA256SUMS"
_PARTS = re.compile(r"card\.json|training\.csv|README\.md|seed-\d{1,10}\.safetensors", re.ASCII)
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_LONGEST = 2**20  # bytes of the list of digests
_REMEDY = "get the whole folder again from whoever made it"


def seal(folder: Path) -> None:
    """Writes the digests of a folder's files beside them."""
    lines = [f"{file_hash(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def verified(folder: Path) -> list[str]:
    """The names of a folder's files, sorted, after each was held against its digest.

    Raises UserError: no list of digests or a faulty one, a file too many or too few, other bytes.
    Nothing is opened whose name is not that of a part of a model.
    """
    sums = _read_sums(folder)
    found = {path.name for path in folder.iterdir() if not path.name.startswith(".")} - {SUMS}
    if surplus := sorted(found - sums.keys()):
        raise UserError(
            f"{folder}: {surplus[0]!r} is not in {SUMS}; a model is a card, safetensors files, "
            "a log and a README, nothing else; take it away"
        )
    for name, expected in sorted(sums.items()):
        path = folder / name
        if not path.is_file():
            raise UserError(f"{path}: missing, though {SUMS} names it; {_REMEDY}")
        if file_hash(path) != expected:
            raise UserError(f"{path}: other bytes than {SUMS} says, cut off or changed; {_REMEDY}")
    return sorted(sums)


def copy(folder: Path, goal: Path) -> None:
    """Copies a verified folder; `goal` appears whole or not at all.

    Raises UserError: as `verified`.
    """
    names = verified(folder)
    with atomic.new_folder(goal) as aside:
        for name in (*names, SUMS):
            shutil.copyfile(folder / name, aside / name)
        verified(aside)


def same(one: Path, other: Path) -> bool:
    """Whether two folders, of which `other` is verified, hold the same files."""
    try:
        return verified(one) == verified(other) and _read_sums(one) == _read_sums(other)
    except UserError:
        return False


def _read_sums(folder: Path) -> dict[str, str]:
    """File name -> digest."""
    path = folder / SUMS
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        lines = content.decode("utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; expected a folder that `python -m pipeline.handover export` "
            "wrote, with a digest of each of its files"
        ) from None
    except (OSError, UnicodeDecodeError) as fault:
        raise UserError(f"{path}: cannot be read ({fault}); {_REMEDY}") from None
    if len(content) > _LONGEST:
        raise UserError(f"{path}: longer than {_LONGEST} bytes, no list of digests; {_REMEDY}")
    return _sums(path, lines)


def _sums(path: Path, lines: list[str]) -> dict[str, str]:
    sums: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        name = match[2] if match else ""
        if match is None or not _PARTS.fullmatch(name) or name in sums:
            raise UserError(
                f"{path}: line {number}: expected the digest of a part of a model, once, "
                f"found {line[:200]!r}; {_REMEDY}"
            )
        sums[name] = match[1]
    return sums
