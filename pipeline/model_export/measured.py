"""What stage `evaluate` measured of a model, if results/metrics.json is about that very model."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline import metrics, paths

METRICS = paths.RESULTS / "metrics.json"
OF_ALL_SEEDS = ("accuracy", "accuracy_sd", "accuracy_low", "accuracy_high", "temperature")


def measured(model: Path, seeds: Sequence[int], chosen: int | None) -> dict[str, Any]:
    """Accuracy, its interval and the temperature of a model's seeds, or of the `chosen` one.

    Empty if nothing is known: another model than `evaluate` saw, no labels, or no dvc.lock. The
    temperature belongs to all seeds together, so that one of several has none.
    """
    if not is_of(model):
        return {}
    told: Mapping[str, Any] = json.loads(METRICS.read_text(encoding="utf-8"))
    adapted, videos = told["adapted"], told["labelled_test_videos"]
    if not videos:
        return {}
    if chosen is None or list(seeds) == [chosen]:
        known = {name: adapted[name] for name in (*OF_ALL_SEEDS, "calibrated_error")}
    else:
        share = adapted["seeds"][str(chosen)]
        low, high = metrics.wilson_interval(round(share * videos), videos)
        known = {"accuracy": share, "accuracy_low": low, "accuracy_high": high}
    return {"videos": videos} | {name: value for name, value in known.items() if value is not None}


def is_of(model: Path, lock: Path = Path("dvc.lock")) -> bool:
    """Whether results/metrics.json is what stage `evaluate` made of these bytes of a model."""
    try:
        stages: Any = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
        stage = stages["evaluate"]
        saw = {part["path"]: part["md5"] for part in (*stage["deps"], *stage["outs"])}
        return saw[METRICS.as_posix()] == _md5(METRICS.read_bytes()) and saw[
            paths.ADAPTED_MODEL.as_posix()
        ] == folder_digest(model)
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return False


def folder_digest(folder: Path) -> str:
    """The digest that DVC gives a flat folder."""
    files = sorted(folder.iterdir())
    rows = [{"md5": _md5(path.read_bytes()), "relpath": path.name} for path in files]
    return _md5(json.dumps(rows, sort_keys=True).encode()) + ".dir"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
