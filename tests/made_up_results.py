"""Results of an adaptation that nobody made, as the stages before `report` leave them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import relations, shards, tables
from pipeline.results import MODELS, Results

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "跑步", "a" * 200]
PICTURE = b"\xff\xd8 a picture \xff\xd9"
SCORES = ["mean_entropy", "marginal_entropy", "information_maximisation", "predicted_classes"]


def made_up(
    classes: list[str], videos: int = 8, seeds: int = 3, labelled: bool = True, epochs: int = 3
) -> Results:
    """Results of an adaptation that rights every mistake of a third of the videos but one."""
    keys = [f"{classes[k % len(classes)]}/{k}.mp4" for k in range(videos)]
    said = {
        key: {
            "label": classes[k % len(classes)] if labelled else "",
            "source_only": classes[(k + (k % 3 == 0)) % len(classes)],
            "adapted": classes[(k + (k == 0)) % len(classes)],
        }
        for k, key in enumerate(keys)
    }
    predictions = [
        {"seed": str(seed), "key": key, "split": split, **cells, **confidence}
        for seed in range(seeds)
        for split in ("train", "test")
        for key, cells in said.items()
        for confidence in [{"source_only_confidence": "0.5", "adapted_confidence": "0.75"}]
    ]
    confusion = [
        {"seed": r["seed"], "actual": r["label"], **{m: r[m] for m in MODELS}}
        for r in predictions
        if labelled and r["split"] == "test"
    ]
    log = [
        {"seed": str(s), "epoch": str(e), **dict.fromkeys(SCORES, f"{s + e}")}
        | {"pseudo_label_loss": str(e) if e else ""}
        for s in range(seeds)
        for e in range(epochs)
    ]
    return Results(
        card=card(classes, seeds),
        metrics=scores(classes, videos, seeds, labelled),
        pretrain=[
            {"seed": str(s), "epoch": str(e), "cross_entropy": f"{1 / e}"}
            for s in range(seeds)
            for e in (1, 2)
        ],
        adapt=log,
        predictions=predictions,
        confusion=confusion,
        embedding=[
            {
                "model": m,
                "key": key,
                "label": said[key]["label"] or "unknown",
                "x": f"{k}",
                "y": "1",
            }
            for m in MODELS
            for k, key in enumerate(keys)
        ],
        **beside_the_source(keys, {key: cells["label"] for key, cells in said.items()}),
    )


def beside_the_source(keys: list[str], labels: dict[str, str]) -> dict[str, Any]:
    """Retrieval, both domains' points, relations and pictures of target videos `keys`."""
    near = {f"near/{key}": label for key, label in labels.items()}
    generator = np.random.default_rng(0)
    related = generator.random((2, len(keys), 2, 5, 5), np.float32)
    related /= related.sum(axis=-1, keepdims=True)
    return {
        "shares": {"source_only": 0.4125, "adapted": 0.64 if any(labels.values()) else None},
        "retrieval": [
            {"model": m, "key": key, "rank": str(rank), "label": labels[key], "nearest": theirs,
             "nearest_label": near[theirs] or "run", "similarity": "0.75"}
            for m in MODELS
            for k, key in enumerate(keys)
            for rank, theirs in enumerate(list(near)[k : k + 2], 1)
        ],
        "domains": [
            {"model": m, "domain": domain, "key": key, "label": label or "run", "x": f"{k}",
             "y": "1"}
            for m in MODELS
            for domain, side in (("studio", near), ("street", labels))
            for k, (key, label) in enumerate(side.items())
        ],
        "relations": dict(zip(MODELS, related, strict=True)),
        "pictures": {"source": dict.fromkeys(near, PICTURE),
                     "target": dict.fromkeys(keys, PICTURE)},
    }  # fmt: skip


def without_the_source(results: Results) -> Results:
    """The same where the source is a model that was received, and nobody has frames."""
    nothing: Any = {"source": {}, "target": {}}
    return replace(results, shares={}, retrieval=[], domains=[], pictures=nothing)


def card(classes: list[str], seeds: int) -> dict[str, Any]:
    return {
        "seeds": list(range(seeds)),
        "classes": classes,
        "dim": 64,
        "layers": 6,
        "dropout": 0.3,
        "features": {
            "features": {"backbone": "i3d_nano"},
            "frames": {"clips": {"segments": 5}},
        },
        "training": {
            "pretrain": {"source": "studio", "lr": 0.01, "test_accuracy": {"0": 0.9625}},
            "adapt": {"target": "street", "method": "mtran", "lambda1": 3.5, "warnings": {"0": []}},
        },
    }


def scores(classes: list[str], videos: int, seeds: int, labelled: bool) -> dict[str, Any]:
    free = {"label_free": dict.fromkeys(SCORES, 0.25)}
    both: dict[str, Any] = {"source_only": dict(free), "adapted": dict(free)}
    for name, accuracy in (("source_only", 0.625), ("adapted", 0.875)) if labelled else ():
        both[name] |= {
            "accuracy": accuracy,
            "accuracy_sd": 0.0125 if seeds > 1 else None,
            "accuracy_low": accuracy - 0.1,
            "accuracy_high": accuracy + 0.1,
            "mean_class_accuracy": 0.5,
            "calibration_error": 0.05,
            "temperature": 1.25,
            "calibrated_error": 0.025,
            "seeds": {str(seed): accuracy for seed in range(seeds)},
            "per_class": dict.fromkeys(classes, accuracy),
        }
    if labelled:
        both["adapted"] |= {"last_epochs_mean": 0.8375, "oracle": 0.9125}
    return {"test_videos": videos, "labelled_test_videos": videos if labelled else 0, **both}


def write(results: Results, folder: Path) -> None:
    """The files that the stage reads."""
    models, made = folder / "models", folder / "results"
    for name, rows in (("source", results.pretrain), ("adapted", results.adapt)):
        tables.write(models / name / "training.csv", rows)
    (models / "adapted/card.json").write_text(json.dumps(results.card))
    made.mkdir()
    (made / "metrics.json").write_text(json.dumps(results.metrics))
    (made / "retrieval.json").write_text(json.dumps({"nearest_same_class": results.shares}))
    for name in ("predictions", "confusion", "embedding", "retrieval", "domains"):
        rows = getattr(results, name)
        tables.write(made / f"{name}.csv", rows, list(rows[0]) if rows else ["seed", "actual"])
    relations.save(made / "relations.safetensors", results.relations)
    for domain, pictures in (("studio", "source"), ("street", "target")):
        content = results.pictures[pictures]  # type: ignore[index]
        sizes, marks = dict.fromkeys(content, 1), dict.fromkeys(content, "f")
        shards.publish(folder / "data/pictures" / domain, content, fingerprints=marks,
                       sizes=sizes, provenance={}, suffix=shards.JPEG)  # fmt: skip
