"""A picture of several experiments: accuracy before and after, with intervals."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.drawing import AFTER, BEFORE, panel, styled, svg, titled
from pipeline.plots import shortened
from pipeline.tables import Row

LONGEST = 44  # columns of a label


class Shown(NamedTuple):
    """A line of the picture; shares in [0, 1]."""

    label: str
    before: float
    after: float
    low: float
    high: float

    @classmethod
    def of(cls, row: Row) -> "Shown":
        """A row of `compare.table` that has accuracies."""
        parts = [str(row[name]) for name in ("task", "method", "changed") if row[name]]
        numbers = (float(row[name] or 0.0) for name in ("source_only", "adapted", "low", "high"))
        return cls(shortened(", ".join(parts), LONGEST), *numbers)


@styled
def draw(name: str, rows: Sequence[Shown]) -> str:
    """A line an experiment: source-only in grey, adapted with its 95 % interval in colour."""
    figure, axes = panel(7.2, 0.3 * len(rows) + 0.9, left=3.2, bottom=0.35, top=0.45, right=0.45)
    for place, row in enumerate(rows):
        axes.plot([row.low, row.high], [place, place], color=AFTER, linewidth=6, alpha=0.3)
        axes.plot(row.before, place, "o", color=BEFORE, markersize=5)
        axes.plot(row.after, place, "D", color=AFTER, markersize=6)
        axes.text(row.high + 0.02, place, f"{row.after:.1%}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    shares = [0, 0.25, 0.5, 0.75, 1]
    axes.set(xlim=(0, 1))
    axes.set_xticks(shares, [f"{share:.0%}" for share in shares])
    axes.grid(axis="x")
    titled(figure, "Accuracy: adapted, its 95 % interval; source-only (grey)")
    said = "; ".join(f"{row.label}: {row.before:.1%} before, {row.after:.1%} after" for row in rows)
    return svg(figure, name, said)
