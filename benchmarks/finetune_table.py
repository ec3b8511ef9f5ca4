"""Stage `finetune` on the task of params.yaml, method by method and seed by seed, as a table.

    dvc repro flow@studio flow@street     what it reads
    python -m benchmarks.finetune_table --epochs 6 --seeds 0 1 2 --set lr=0.003 drop_at=0.7
    python -m benchmarks.finetune_table --only-table

Reads   params.yaml, data/, models/<backbone>
Writes  benchmarks/cells/finetune/<method>-<seed> (a cell is trained once, and goes on if it was
        killed), benchmarks/tables/finetune.md, of the cells that there are

All methods with seed 0 come first, so that a table that is stopped early compares all of them.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline import atomic, metrics

ROOT = Path(__file__).parent.parent
CELLS, TABLE = ROOT / "benchmarks/cells/finetune", ROOT / "benchmarks/tables/finetune.md"
METHODS = {
    "source_only_late": "source alone: the lower bound",
    "target_supervised": "the target's labels: the upper bound",
    "cross_modal_contrastive": "contrast of the modalities and of the domains",
    "contrastive_same_windows": "the same, RGB and flow see the same window",
    "contrastive_modality_only": "contrast of the modalities alone",
    "contrastive_domain_only": "contrast of the domains alone",
    "mm_sada": "discriminators and correspondence",
    "cleanadapt": "source-free: the source model's credible labels",
    "cleanadapt_teacher": "the same with a slow teacher",
    "adabn": "source alone, then the target's statistics of batch normalisation",
}


def train(method: str, seed: int, section: Mapping[str, Any]) -> None:
    """Runs the stage in a folder of its own, whose data are the project's."""
    folder = CELLS / f"{method}-{seed}"
    if (folder / "results/finetune.json").exists():
        return
    (folder / "models").mkdir(parents=True, exist_ok=True)
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["seeds"] = [seed]
    content["finetune"] |= {**section, "method": method}
    for part in ("data", f"models/{content['finetune']['backbone']}"):
        if not (folder / part).exists():
            (folder / part).symlink_to(ROOT / part)
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DVC")}
    command = [sys.executable, "-m", "pipeline.stages.finetune"]
    subprocess.run(command, cwd=folder, env={**kept, "PYTHONPATH": str(ROOT)}, check=True)


def rows() -> dict[str, tuple[list[float], dict[str, Any]]]:
    """Of each method, the accuracies of its seeds and how it was trained."""
    found: dict[str, tuple[list[float], dict[str, Any]]] = {}
    for path in sorted(CELLS.glob("*/results/finetune.json")):
        said = json.loads(path.read_text())
        card = json.loads((path.parent.parent / "models/finetuned/card.json").read_text())
        how = {k: v for k, v in card["training"]["finetune"].items() if k != "method"}
        accuracies, before = found.setdefault(said["method"], ([], how))
        if before != how:
            raise SystemExit(f"{CELLS}: cells of different settings; empty the folder")
        accuracies += said["seeds"].values()
    return found


def table(found: Mapping[str, tuple[list[float], dict[str, Any]]]) -> str:
    """The table in Markdown, in the methods' order."""
    how = next(iter(found.values()))[1]
    told = ", ".join(f"{name} {value}" for name, value in how.items())
    lines = [
        "# Fine-tuned on frames",
        "",
        f"`python -m benchmarks.finetune_table`: {told}.",
        "",
        "| method | what it learns | seeds | accuracy on the target's test videos |",
        "|---|---|---|---|",
    ]
    for name, words in METHODS.items():
        if name not in found:
            continue
        accuracies = found[name][0]
        mean, deviation = metrics.mean_and_deviation(accuracies)
        spread = f" (sd {100 * deviation:.1f})" if len(accuracies) > 1 else ""
        lines.append(f"| `{name}` | {words} | {len(accuracies)} | {100 * mean:.1f} %{spread} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetune_table")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of `finetune`")
    parser.add_argument("--only-table", action="store_true")
    options = parser.parse_args(arguments)
    changed = dict(one.split("=", 1) for one in options.set)
    section = {key: yaml.safe_load(value) for key, value in changed.items()}
    for seed in [] if options.only_table else options.seeds:
        for method in options.methods:
            train(method, seed, {**section, "epochs": options.epochs})
            atomic.write_file(TABLE, table(rows()))
    atomic.write_file(TABLE, table(rows()))


if __name__ == "__main__":
    main()
