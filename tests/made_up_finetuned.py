"""What stage `finetune` leaves, made up: its card, log, numbers and predictions."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from pipeline import params, tables
from pipeline.evaluation import Predictions
from pipeline.finetune import measured
from pipeline.stages.finetune import PREDICTED


def write(
    folder: Path,
    classes: Sequence[str],
    *,
    videos: int = 8,
    seeds: int = 2,
    epochs: int = 3,
    labelled: bool = True,
) -> None:
    """Writes the files; every third video is wrong."""
    model, results, count = folder / "models/finetuned", folder / "results", len(classes)
    for made in (model, results):
        made.mkdir(parents=True, exist_ok=True)
    how = {"source": "studio", "target": "street", **params.Finetune().model_dump()}
    card = {
        "classes": list(classes),
        "seeds": list(range(seeds)),
        "backbone": "i3d_nano",
        "statistics": "target",
        "training": {"finetune": how},
    }
    (model / "card.json").write_text(json.dumps(card))
    logs = {
        seed: [
            {"epoch": e, "cross_entropy": 2 / e, "modality_source": 0.5, "accuracy": e / epochs}
            for e in range(1, epochs + 1)
        ]
        for seed in range(seeds)
    }
    rows = [{"seed": seed, **row} for seed, log in logs.items() for row in log]
    tables.write(model / "training.csv", rows)
    labels = torch.arange(videos) % count
    said = (labels + (torch.arange(videos) % 3 == 0)) % count
    logits = 4 * torch.nn.functional.one_hot(said, count).float()
    predictions = Predictions(dict.fromkeys(range(seeds), logits))
    metrics = {"labelled_test_videos": videos if labelled else 0, "evaluations": 1}
    keys = [f"{classes[k % count]}/{k}.mp4" for k in range(videos)]
    found = measured.rows(predictions, keys, labels, classes) if labelled else []
    if labelled:
        metrics |= measured.numbers(logs, predictions, labels, classes)
    (results / "finetune.json").write_text(json.dumps(metrics))
    tables.write(results / "finetune_predictions.csv", found, PREDICTED)
