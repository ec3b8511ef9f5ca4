"""What a person reads first in an exported model's folder, written from its card."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.checkpoints import Card
from pipeline.handover.readme import accuracy, leaves, plain

OF_VIDEOS = """
## With vidshift

```python
from pipeline.predictor import Predictor
predictor = Predictor.load("THIS_FOLDER")
print(predictor("clip.mp4").label)
```

or `python -m pipeline.predict clip.mp4 --model THIS_FOLDER`. `backbone/` has the weights of the
network that makes the features.
"""
OF_IMPORTED = """
## With vidshift

```python
from pathlib import Path
from pipeline import checkpoints, prediction
card, models = checkpoints.load(Path("THIS_FOLDER"))
```

Its features were imported: `prediction.predict(models[seed], features)` takes features of the same
origin.
"""
BY_HAND = """
## Without vidshift

```python
from safetensors.torch import load_file
weights = load_file("seed-{seed}.safetensors")
```

gives the tensors by name; the network is that of vidshift's `pipeline/network.py`. With `--program`
`python -m pipeline.model_export` writes one that PyTorch runs alone.
"""
CLASSIFIER = """
## Without vidshift

With PyTorch alone; {torch} wrote these. A `.pt2` file is a program, and loading one can be made to
run anything: load it only if you trust whoever made it.

```python
import torch
classifier = torch.export.load("classifier.pt2").module()
logits, probabilities = classifier(rgb, flow)
```

`rgb` and `flow` are clip features, float32 (n, T, {dim}), of n videos of T clips. `logits`
({seeds}, n, {classes}) are those of each seed, not calibrated; `probabilities` (n, {classes}) are
the mean over the seeds of softmax(logits / {temperature}).
"""
BACKBONE = """
```python
backbone = torch.export.load("backbone.pt2").module()
rgb, flow = backbone(frames, codes)  # of the {segments} x {windows} windows of a video
rgb, flow = (part.reshape(1, {segments}, {windows}, {dim}).mean(2) for part in (rgb, flow))
```

`frames`, uint8 (k, {frames}, {size}, {size}, 3), are RGB pictures of k windows ({sampling}), made
{size} px wide and high ({resize}). `codes`, uint8 (k, {frames}, {size}, {size}, 2), are the TV-L1
flow, x and y, from each of these to the next frame of the video, v in px and clipped to
+-{bound:g}, as round(127.5 + 127.5 v / {bound:g}). OpenCV's `DualTVL1OpticalFlow` with the
parameters below computes that flow from grey pictures; `pipeline/clips.py` of vidshift says which
frames a window has.
"""


def text(card: Card, seeds: Sequence[int], *, torch: str | None) -> str:
    """The page, in Markdown; names that the card holds stay text, whatever signs are in them.

    Args: torch, the version that wrote the programs; None: there are none.
    """
    imported = card.features["features"]["backbone"] == "imported"
    return "".join(
        [
            f"# {_title(card)}\n\n",
            _table(_facts(card, seeds)),
            OF_IMPORTED if imported else OF_VIDEOS,
            BY_HAND.format(seed=seeds[0]) if torch is None else _programs(card, len(seeds), torch),
            "\n## How it was made\n\n",
            _table(_made(card)),
        ]
    )


def _programs(card: Card, seeds: int, torch: str) -> str:
    """What the programs take and give."""
    temperature = card.training["export"].get("temperature", 1)
    shape = {"dim": card.dim, "classes": len(card.classes), "seeds": seeds}
    classifier = CLASSIFIER.format(torch=torch, temperature=temperature, **shape)
    if "frames" not in card.features:
        return classifier
    frames = {**card.features["frames"]["clips"], **card.features["frames"]["decode"]}
    return classifier + BACKBONE.format(
        **frames, bound=card.features["flow"]["bound"], dim=card.dim
    )


def _title(card: Card) -> str:
    source = plain(card.training["pretrain"]["source"])
    adapted = card.training.get("adapt")
    return f"A video action classifier: {source}" + (
        f", adapted to {plain(adapted['target'])}" if adapted else ""
    )


def _table(facts: Mapping[str, Any]) -> str:
    rows = [f"| {plain(name)} | {plain(value)} |\n" for name, value in facts.items()]
    return "".join(["| what | |\n|---|---|\n", *rows])


def _facts(card: Card, seeds: Sequence[int]) -> dict[str, Any]:
    training, known = card.training, card.training["export"]
    adapted = training.get("adapt", {})
    facts = {
        "classes, in the order of the outputs": ", ".join(card.classes),
        "trained on, with labels": training["pretrain"]["source"],
        "adapted to, without labels": adapted.get("target"),
        "method": adapted.get("method"),
        "right on the target's labelled test videos": _right(known),
        "right on the source's own test videos": accuracy(training["pretrain"]["test_accuracy"]),
        "probabilities": _calibrated(known),
        "models": f"{len(seeds)}, of the seeds {', '.join(map(str, seeds))}",
        "network": f"{card.layers} layers, d = {card.dim}, dropout {card.dropout}",
    }
    return {name: value for name, value in facts.items() if value is not None}


def _made(card: Card) -> dict[str, Any]:
    """Everything that made the features and the models, but for what is told above."""
    parts = {"features": card.features, **card.training}
    above = ("source", "target", "method")
    return {
        f"{part}: {name}": "; ".join(value) if isinstance(value, list) else value
        for part in ("features", "pretrain", "adapt")
        for name, value in leaves(parts.get(part, {}))
        if name not in above and value != []
    } | {"vidshift": card.training["export"]["vidshift"]}


def _right(known: Mapping[str, Any]) -> str:
    if "accuracy" not in known:
        return "not known: no labelled test video, or not measured of this very model"
    spread = f", sd {known['accuracy_sd']:.1%} over the seeds" if "accuracy_sd" in known else ""
    interval = f"{known['accuracy_low']:.1%} to {known['accuracy_high']:.1%}"
    return f"{known['accuracy']:.1%} of {known['videos']} (95% interval {interval}{spread})"


def _calibrated(known: Mapping[str, Any]) -> str:
    if "temperature" not in known:
        return "not calibrated: how sure the model is does not say how often it is right"
    left = known.get("calibrated_error")
    error = (
        f"; expected calibration error on held-out halves {left:.1%}" if left is not None else ""
    )
    return f"calibrated on these videos, temperature {known['temperature']}{error}"
