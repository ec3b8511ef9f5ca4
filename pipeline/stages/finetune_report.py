"""Stage `finetune_report`: what stage `finetune` left -> one page, and its figures as files.

Reads   models/finetuned/{card.json,training.csv}, results/finetune.json,
        results/finetune_predictions.csv
Writes  results/finetune.html (opens from disk, needs no network), results/finetune_figures/*.svg
"""

from pipeline import atomic, finetune_page, paths, stages
from pipeline.one_at_a_time import alone


@alone(paths.lock("finetune_report"), "finetune_report")
def main() -> None:
    """Runs the stage."""
    found = finetune_page.read()
    drawn = finetune_page.figures(found)
    with atomic.new_folder(paths.RESULTS / "finetune_figures") as folder:
        for name, svg in drawn.items():
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    page = paths.RESULTS / "finetune.html"
    atomic.write_file(page, finetune_page.page(found, drawn))
    print(f"{page}: open it in a browser")


if __name__ == "__main__":
    stages.run(main)
