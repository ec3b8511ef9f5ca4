"""SHA-256 of a domain's files; what has not changed since the last run is not read again."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.fingerprint import file_hash
from pipeline.staging import Staging

_ENTRY = "hashes"
_EVERY = 30.0  # seconds between what a kill may lose
State = list[int]  # what changes with a file's content: nobody can set the time of its last change


def hashes(root: Path, files: Sequence[str], staging: Staging) -> dict[str, str]:
    """Each file's hash, by its path below `root`. Prints how many had to be read.

    Raises UserError if `staging`, which remembers them, cannot be written.
    """
    states = {name: _state(root / name) for name in files}
    known = {
        name: (state, digest)
        for name, (state, digest) in _remembered(staging).items()
        if states.get(name) == state
    }
    changed = [name for name in files if name not in known]
    saved = time.monotonic()
    with ThreadPoolExecutor() as pool:
        made = pool.map(lambda name: file_hash(root / name), changed)
        for name, digest in zip(changed, made, strict=True):
            known[name] = (states[name], digest)
            if time.monotonic() > saved + _EVERY:
                _remember(staging, known)
                saved = time.monotonic()
    _remember(staging, known)
    print(f"{staging.stage} {staging.domain}: {len(changed)} of {len(files)} files read")
    return {name: known[name][1] for name in files}


def _state(path: Path) -> State:
    status = path.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _remembered(staging: Staging) -> dict[str, tuple[State, str]]:
    return json.loads(staging.read(_ENTRY)) if staging.holds(_ENTRY) else {}


def _remember(staging: Staging, known: dict[str, tuple[State, str]]) -> None:
    staging.write(_ENTRY, json.dumps(known).encode())
