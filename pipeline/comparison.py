"""Pictures of several experiments: accuracy before and after, and over the values of a weight."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.drawing import AFTER, BEFORE, INK, panel, styled, svg, titled
from pipeline.plots import shortened
from pipeline.sensitivity import Sweep
from pipeline.tables import Row

LONGEST = 60  # columns of a label
NARROWEST = 0.1  # of an axis of accuracies, or what is luck looks like a cliff
ENTROPIES = {"mean_entropy": "-", "marginal_entropy": "--"}  # column -> line


class Shown(NamedTuple):
    """A line of the picture; shares in [0, 1]."""

    label: str
    before: float
    after: float
    low: float
    high: float

    @classmethod
    def of(cls, row: Row, told: Sequence[str] = ("task", "method", "changed")) -> "Shown":
        """A row of `compare.table` that has accuracies; `told`, columns that name it."""
        parts = [str(row[name]) for name in told if row[name]]
        numbers = (float(row[name] or 0.0) for name in ("source_only", "adapted", "low", "high"))
        return cls(shortened(", ".join(parts), LONGEST), *numbers)


@styled
def draw(name: str, rows: Sequence[Shown]) -> str:
    """A line an experiment: source-only in grey, adapted with its 95 % interval in colour."""
    figure, axes = panel(4.8, 0.42 * len(rows) + 0.8, left=0.1, bottom=0.35, top=0.4, right=0.35)
    for place, row in enumerate(rows):
        axes.text(0, place - 0.3, row.label, va="center", fontsize=8)
        axes.plot([row.low, row.high], [place, place], color=AFTER, linewidth=6, alpha=0.3)
        axes.plot(row.before, place, "o", color=BEFORE, markersize=5)
        axes.plot(row.after, place, "D", color=AFTER, markersize=6)
        axes.text(row.high + 0.02, place, f"{row.after:.1%}", va="center", fontsize=8)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.6, -0.6), yticks=[])
    axes.spines["left"].set_visible(False)
    shares = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(shares, [f"{share:.0%}" for share in shares])
    axes.grid(axis="x")
    titled(figure, "Accuracy: adapted, its 95 % interval; source-only (grey)")
    said = "; ".join(f"{row.label}: {row.before:.1%} before, {row.after:.1%} after" for row in rows)
    return svg(figure, name, said)


@styled
def sensitivity(name: str, sweep: Sweep, beside: Sequence[Sweep] = ()) -> str:
    """Accuracy over the values of a weight, mean and sd over the seeds; without labels, entropies.

    The values stand at equal distances, as in the papers. The line goes through the mean of
    experiments of one value. Accuracies have one axis with those of the sweeps that stand beside.
    """
    figure, axes = panel(3.4, 2.2, left=0.55, bottom=0.45, top=0.35, right=0.1)
    values = sorted(set(sweep.values))
    at = [values.index(value) for value in sweep.values]
    if sweep.labelled:
        said = _accuracies(axes, at, sweep)
        axes.set_ylim(_span([sweep, *(other for other in beside if other.labelled)]))
    else:
        said = "; ".join(_entropy(axes, at, sweep, column) for column in ENTROPIES)
    axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    axes.set_xlim(-0.4, len(values) - 0.6)
    axes.set_xlabel(sweep.weight)
    axes.grid(axis="y")
    titled(figure, f"{'Accuracy' if sweep.labelled else 'Entropies'} over {sweep.weight}")
    return svg(figure, name, f"{sweep.weight} from {values[0]:g} to {values[-1]:g}: {said}")


def _accuracies(axes: Axes, at: Sequence[int], sweep: Sweep) -> str:
    """Draws them with the source model's; returns them in words."""
    (after, sd), before = _bars(sweep), _scores(sweep, "source_only")
    line = _means(at, after)
    axes.plot(list(line), list(line.values()), color=AFTER, linewidth=1.6)
    axes.errorbar(at, after, yerr=sd, fmt="o", color=AFTER, markersize=5, capsize=3)
    axes.axhline(fmean(before), color=BEFORE, linewidth=1.2, linestyle="--")
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
    return f"accuracy {', '.join(f'{mean:.1%}' for mean in line.values())}"


def _span(sweeps: Sequence[Sweep]) -> tuple[float, float]:
    """An axis for the accuracies of these, with their bars and their source models."""
    bars = [(s, d) for one in sweeps for s, d in zip(*_bars(one), strict=True)]
    before = [share for one in sweeps for share in _scores(one, "source_only")]
    low, high = min(*(s - d for s, d in bars), *before), max(*(s + d for s, d in bars), *before)
    margin = max(NARROWEST - (high - low), 0.1 * (high - low)) / 2
    return low - margin, high + margin


def _bars(sweep: Sweep) -> tuple[list[float], list[float]]:
    return _scores(sweep, "adapted"), _scores(sweep, "sd")


def _entropy(axes: Axes, at: Sequence[int], sweep: Sweep, column: str) -> str:
    """Draws one as a thin line; returns it in words."""
    line, title = _means(at, _scores(sweep, column)), column.replace("_", " ")
    axes.plot(list(line), list(line.values()), ENTROPIES[column], color=INK, linewidth=0.9)
    axes.plot(at, _scores(sweep, column), "o", color=INK, markersize=3)
    axes.annotate(title, (0, line[0]), (0, 4), textcoords="offset points", fontsize=7.5)
    axes.margins(y=0.15)
    return f"{title} {', '.join(f'{mean:.3g}' for mean in line.values())}"


def _scores(sweep: Sweep, column: str) -> list[float]:
    """Of each experiment; what it lacks counts as 0."""
    return [one.scores[column] or 0.0 for one in sweep.experiments]


def _means(at: Sequence[int], scores: Sequence[float]) -> Mapping[int, float]:
    """The mean of the scores at each place, the places ascending."""
    pairs = list(zip(at, scores, strict=True))
    return {place: fmean(s for where, s in pairs if where == place) for place in sorted(set(at))}
