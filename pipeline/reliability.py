"""The reliability diagram: of the videos predicted with some confidence, how many are right?

DeGroot and Fienberg, "The Comparison and Evaluation of Forecasters", The Statistician 1983.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.drawing import AFTER, BEFORE, INK, panel, styled, svg, titled

BINS = 10  # of equal width


class Bin(NamedTuple):
    """Predictions of about one confidence: their mean, the share that is right, how many."""

    confidence: float
    right: float
    videos: int


def bins(predictions: Sequence[tuple[float, bool]]) -> list[Bin]:
    """Pairs (confidence in [0, 1], whether right) -> the bins that are not empty, ascending."""
    members: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in predictions:
        members.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, right))
    return [
        Bin(sum(c for c, _ in rows) / len(rows), sum(r for _, r in rows) / len(rows), len(rows))
        for _, rows in sorted(members.items())
    ]


@styled
def reliability(name: str, title: str, before: Sequence[Bin], after: Sequence[Bin]) -> str:
    """A point a bin, the larger the more predictions it holds; on the diagonal all is as said."""
    figure, axes = panel(4.4, 3.6, left=0.55, bottom=0.5, top=0.6, right=0.15)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.5)
    shapes: Mapping[str, tuple[Sequence[Bin], str]] = {
        "source-only": (before, BEFORE),
        "adapted": (after, AFTER),
    }
    for label, (points, colour) in shapes.items():
        total = sum(point.videos for point in points)
        sizes = [12 + 240 * point.videos / total for point in points]
        x, y = [p.confidence for p in points], [p.right for p in points]
        axes.plot(x, y, color=colour, linewidth=1, alpha=0.6)
        axes.scatter(x, y, s=sizes, color=colour, alpha=0.8, linewidths=0, label=label)
    axes.set(xlim=(0, 1.03), ylim=(-0.03, 1.05), xlabel="confidence", ylabel="right")
    shares = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(shares, [f"{share:.0%}" for share in shares])
    axes.set_yticks(shares, [f"{share:.0%}" for share in shares])
    axes.grid()
    titled(figure, title)
    legend = figure.legend(loc="upper left", bbox_to_anchor=(0, 0.94), ncols=2)
    for handle in legend.legend_handles:
        handle.set_sizes([30])  # type: ignore[union-attr]
    last = f"of those surest, {after[-1].right:.0%} right at {after[-1].confidence:.0%} confidence"
    return svg(figure, name, f"{title}; adapted: {last}")
