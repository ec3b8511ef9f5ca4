"""Writes a model as a folder that stands alone, to share and to deploy; see docs/predict.md.

    python -m pipeline.model_export FOLDER [--model models/adapted] [--seed N] [--program]

FOLDER gets the weights, the backbone's weights, card.json, README.md and digests; with --program
also what PyTorch runs without this project. `python -m pipeline.predict VIDEO --model FOLDER` and
`Predictor.load(FOLDER)` take it as it is.
"""

import sys
from pathlib import Path

import pipeline.stages
from pipeline import command_line, paths
from pipeline.model_export import folder


def main() -> None:
    """Writes the folder and says what is in it."""
    parser = command_line.parser("model_export", __doc__)
    parser.add_argument("folder", type=Path, help="yet to be made, or an earlier export")
    parser.add_argument("--model", type=Path, default=paths.ADAPTED_MODEL)
    parser.add_argument("--seed", type=int, help="only the model of this seed; all otherwise")
    parser.add_argument("--program", action="store_true", help="write .pt2 files for PyTorch, too")
    chosen = parser.parse_args()
    card, seeds = folder.export(
        chosen.model, chosen.folder, seed=chosen.seed, programs=chosen.program
    )
    known = card.training["export"]
    if "accuracy" not in known:
        told = "results/metrics.json is not about this model, or there are no labels"
        print(f"the README tells no accuracy: {told}", file=sys.stderr)
    count = f"{len(seeds)} model{'s' if len(seeds) > 1 else ''}"
    sure = "calibrated" if "temperature" in known else "not calibrated"
    print(f"{chosen.folder}: {count}, {len(card.classes)} classes, {sure}")


if __name__ == "__main__":
    pipeline.stages.run(main, "interrupted: no folder was written, and what was there is as it was")
