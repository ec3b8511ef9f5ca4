"""Pictures of relations: how much the clips of a video take in of each other."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from pipeline.drawing import AFTER, styled, svg, titled
from pipeline.plots import shortened

SIDE, GAP, TOP, LEFT = 0.92, 0.16, 0.52, 0.3  # inches
LONGEST = 32  # columns of a title
TITLES = ("RGB before", "RGB after", "flow before", "flow after")


@styled
def relations(
    name: str, title: str, before: NDArray[np.float32], after: NDArray[np.float32]
) -> str:
    """Four T x T maps: RGB and flow, each before and after, each (2, T, T) with rows that sum to 1.

    A cell is the darker, the more the clip of its row takes in of the clip of its column: white is
    the smallest number of the four maps, and the darkest the largest.
    """
    maps = [before[0], after[0], before[1], after[1]]
    width = LEFT + 4 * SIDE + 3 * GAP + 0.05
    height = TOP + SIDE + 0.3
    figure = Figure((width, height))
    low, high = float(np.min(maps)), float(np.max(maps))
    for place, (said, part) in enumerate(zip(TITLES, maps, strict=True)):
        left = (LEFT + place * (SIDE + GAP)) / width
        axes = figure.add_axes((left, 0.3 / height, SIDE / width, SIDE / height))
        _map(axes, (part - low) / max(high - low, 1e-6))
        axes.set_title(said, fontsize=8.5, loc="left", pad=3)
        axes.tick_params(labelleft=place == 0)
    titled(figure, shortened(title, LONGEST))
    scale = f"white {low:.2f}, darkest {high:.2f}"
    figure.text(0.99, 1 - 0.08 / height, scale, ha="right", va="top", fontsize=8)
    spans = [
        f"{said} {part.min():.2f} to {part.max():.2f}"
        for said, part in zip(TITLES, maps, strict=True)
    ]
    return svg(figure, name, f"Relations of the clips of {title}: {', '.join(spans)}")


def _map(axes: Axes, part: NDArray[np.float32]) -> None:
    """Draws numbers in [0, 1]."""
    count = len(part)
    for row in range(count):
        for column in range(count):
            depth = 0.9 * float(part[row, column])
            corner = (column + 0.5, row + 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, color=AFTER, alpha=depth, linewidth=0))
    step = max(1, count // 5)
    axes.set(xlim=(0.5, count + 0.5), ylim=(count + 0.5, 0.5))
    axes.set(xticks=range(1, count + 1, step), yticks=range(1, count + 1, step))
    axes.tick_params(length=0, labelsize=7)
    axes.spines[:].set(visible=True, alpha=0.3)
