"""What a result was made from, as one hash: equal fingerprints mean equal results."""

import hashlib
import json
from pathlib import Path
from typing import Any


def fingerprint(**made_from: Any) -> str:
    """SHA-256 (hex) over named values: inputs' hashes, parameters, the algorithm's version."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def share(key: str) -> float:
    """A number in [0, 1) that belongs to a key alone: it stays when other keys come and go."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48
