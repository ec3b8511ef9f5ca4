"""Draws benchmarks/tables/speed.csv, the kept figures of speed, as a chart for the README.

    python -m benchmarks.chart

A row is a ratio that one command measured: ours and what a user would take instead, side by side in
one run, the median of the rounds and their range. Rows are written by hand from the output of their
commands, with the day and the commit.
"""

import csv
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

TABLE = Path("benchmarks/tables/speed.csv")
CHART = TABLE.with_suffix(".svg")
COLOURS = {"cpu": "#2a6f97", "gpu": "#c77d00"}


def read(path: Path = TABLE) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def draw(rows: list[dict[str, str]], path: Path = CHART) -> None:
    """A bar a row, from the top in the table's order; a whisker is the range of the rounds."""
    mpl.rcParams.update({"svg.hashsalt": "speed", "font.size": 9, "font.family": "sans-serif"})
    figure, axes = plt.subplots(figsize=(7.5, 0.62 * len(rows) + 0.9), layout="constrained")
    for place, row in enumerate(rows):
        ratio = float(row["ratio"])
        low, high = (float(row[name] or ratio) for name in ("low", "high"))
        axes.barh(place, ratio, color=COLOURS[row["on"]], height=0.55)
        axes.hlines(place, low, high, color="black", linewidth=1)
        axes.annotate(
            f"{ratio:g}",
            (max(ratio, high), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold",
        )
    axes.set_yticks(range(len(rows)), [f"{row['what']}\nbeside {row['beside']}" for row in rows])
    axes.invert_yaxis()
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlim(0, max(float(row["high"] or row["ratio"]) for row in rows) * 1.12)
    axes.set_xlabel("times as fast (blue: 2 CPU cores, orange: a GPU)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    draw(read())


if __name__ == "__main__":
    main()
