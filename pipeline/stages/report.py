"""Stage `report`: everything that the stages before left -> one page, and its figures as files.

Reads   models/source/training.csv, models/adapted/{card.json,training.csv},
        results/{metrics.json,predictions.csv,confusion.csv,embedding.csv}
Writes  results/report.html (opens from disk, needs no network), results/figures/<name>.svg
"""

from pipeline import atomic, paths, report, report_inputs, stages
from pipeline.one_at_a_time import alone


@alone(paths.lock("report"), "report")
def main() -> None:
    """Runs the stage."""
    results = report_inputs.read()
    figures = report.figures(results)
    with atomic.new_folder(paths.RESULTS / "figures") as folder:
        for name, svg in figures.items():
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    page = paths.RESULTS / "report.html"
    atomic.write_file(page, report.page(results, figures))
    print(f"{page}: open it in a browser")


if __name__ == "__main__":
    stages.run(main)
