"""Stage `report`: everything that the stages before left -> one page, and its figures as files.

Reads   models/source/training.csv, models/adapted/{card.json,training.csv},
        results/{metrics.json,predictions.csv,confusion.csv,embedding.csv,relations.safetensors},
        results/{retrieval.json,retrieval.csv,domains.csv}, data/pictures of both domains
Writes  results/report.html (opens from disk, needs no network), results/figures/<name>.svg
"""

from pipeline import atomic, figures, paths, report, report_inputs, stages
from pipeline.one_at_a_time import alone


@alone(paths.lock("report"), "report")
def main() -> None:
    """Runs the stage."""
    found = report_inputs.read()
    drawn = figures.figures(found)
    with atomic.new_folder(paths.RESULTS / "figures") as folder:
        for name, svg in drawn.items():
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    page = paths.RESULTS / "report.html"
    atomic.write_file(page, report.page(found, drawn))
    print(f"{page}: open it in a browser")


if __name__ == "__main__":
    stages.run(main)
