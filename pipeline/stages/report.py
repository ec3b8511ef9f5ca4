"""Stage `report`: everything that the stages before left -> one page, and its figures as files.

Reads   models/source/training.csv, models/adapted/{card.json,training.csv},
        results/{metrics.json,predictions.csv,confusion.csv,embedding.csv,relations.safetensors},
        results/{retrieval.json,retrieval.csv,domains.csv}, data/pictures of both domains
Writes  results/report.html (opens from disk, needs no network), results/figures/<name>.svg
"""

import json
from pathlib import Path
from typing import Any

from pipeline import atomic, figures, paths, relations, report, results, stages, tables
from pipeline.errors import UserError
from pipeline.pictures import Pictures
from pipeline.results import Results


def read() -> Results:
    """What the stages before left. Raises UserError: missing, or not of them."""
    card = _read_json(paths.ADAPTED_MODEL / "card.json")
    trained = card["training"]
    predictions = tables.read(paths.RESULTS / "predictions.csv")
    first = [row for row in predictions if row["seed"] == predictions[0]["seed"]]
    tested = sum(row["split"] == "test" for row in first)
    related = paths.RESULTS / "relations.safetensors"
    return Results(
        card=card,
        metrics=_read_json(paths.RESULTS / "metrics.json"),
        pretrain=_read_log(paths.SOURCE_MODEL / "training.csv"),
        adapt=_read_log(paths.ADAPTED_MODEL / "training.csv"),
        predictions=predictions,
        confusion=tables.read(paths.RESULTS / "confusion.csv"),
        embedding=tables.read(paths.RESULTS / "embedding.csv"),
        shares=_read_json(paths.RESULTS / "retrieval.json"),
        retrieval=tables.read(paths.RESULTS / "retrieval.csv"),
        domains=tables.read(paths.RESULTS / "domains.csv"),
        relations=relations.load(related, results.MODELS, tested),
        pictures={
            "source": Pictures.of(paths.pictures(trained["pretrain"]["source"])),
            "target": Pictures.of(paths.pictures(trained["adapt"]["target"])),
        },
    )


def main() -> None:
    """Runs the stage."""
    found = read()
    drawn = figures.figures(found)
    with atomic.new_folder(paths.RESULTS / "figures") as folder:
        for name, svg in drawn.items():
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    page = paths.RESULTS / "report.html"
    atomic.write_file(page, report.page(found, drawn))
    print(f"{page}: open it in a browser")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; `dvc repro` makes it, `dvc pull` fetches it"
        ) from None
    except (OSError, RecursionError, ValueError) as fault:
        raise UserError(f"{path}: not JSON ({fault}); make it again with `dvc repro`") from None


def _read_log(path: Path) -> list[dict[str, str]]:
    """A log of training, which may come from others; figures' files are named after its columns."""
    rows = tables.read(path, ["seed", "epoch"])
    try:
        for row in rows:
            if not all(name.isidentifier() for name in row):
                raise ValueError(f"columns {', '.join(row)}")
            int(row["epoch"])
            [float(cell) for cell in row.values() if cell]
    except ValueError as fault:
        raise UserError(f"{path}: no log of training ({fault}); fetch it again") from None
    return rows


if __name__ == "__main__":
    stages.run(main)
