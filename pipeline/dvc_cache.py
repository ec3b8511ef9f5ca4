"""Where DVC's cache holds the files of an output, as dvc.lock names it.

DVC deletes a stage's outputs before it runs the stage again; until then, and after `dvc pull`, its
cache holds what they were.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError

LOCK = Path("dvc.lock")


def files(output: Path) -> list[Path]:
    """The cached files of an output folder, as far as they are there, in the order of their names.

    Empty where DVC knows nothing of it, or keeps nothing of it.
    """
    digest = _outs().get(output.as_posix())
    if digest is None:
        return []
    cache = folder()
    try:
        listed = json.loads(_object(cache, digest).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    found = (_object(cache, row["md5"]) for row in sorted(listed, key=lambda row: row["relpath"]))
    return [path for path in found if path.exists()]


def folder() -> Path:
    """DVC's cache, wherever it is configured to be. Raises UserError if DVC does not say."""
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise UserError(f"`dvc cache dir`: {asked.stderr.strip()}")
    return Path(asked.stdout.strip())


def _outs() -> dict[str, str]:
    """The outputs in dvc.lock, and the MD5 of each."""
    content: Any = yaml.safe_load(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else None
    stages = (content or {}).get("stages", {}).values()
    found = [out for stage in stages for out in stage.get("outs", [])]
    return {out["path"]: out["md5"] for out in found if out.get("hash") == "md5"}


def _object(cache: Path, digest: str) -> Path:
    return cache / "files/md5" / digest[:2] / digest[2:]
