"""Figures as SVG text: one panel each, the same bytes for the same numbers.

Text stays text and takes the reader's fonts, so that names in any script show. Ink is
`currentColor`, so that a page can be dark; elsewhere a figure is black on white. Colours are those
of Okabe & Ito (2008), which colour-blind people can tell apart; shapes tell the classes too.
"""

import io
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple
from xml.etree import ElementTree

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from pipeline.html import printable

INK, PAPER = "#1b1f24", "#ffffff"
BEFORE, AFTER = "#8a8f98", "#0072b2"  # source-only, adapted
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
SHAPES = ("o", "s", "^", "D", "v", "P", "X")  # 6 colours x 7 shapes: 42 classes differ
LONGEST = 18  # columns of a name in a figure
COLUMN = 0.075  # inches a column of text takes at most
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

styled = style.context(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "vidshift",
        "text.parse_math": False,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 8.5,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "axes.axisbelow": True,
        "grid.color": INK,
        "grid.alpha": 0.15,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
        **dict.fromkeys(("xtick.color", "ytick.color"), INK),
    },
    after_reset=True,
)

Series = Mapping[int, float]  # epoch -> value


class Accuracy(NamedTuple):
    """An accuracy over seeds, in [0, 1]: its mean, the 95 % interval, that of each seed."""

    mean: float
    low: float
    high: float
    seeds: Sequence[float]


class Point(NamedTuple):
    """A video in a plane, and the class that its colour shows; None: none of the task's."""

    x: float
    y: float
    label: str | None


def shortened(name: str, longest: int = LONGEST) -> str:
    """A name of at most `longest` columns, its middle left out; wide signs take two columns."""
    signs = printable(name)
    if _columns(signs) <= longest:
        return signs
    half = (longest - 1) // 2
    head = next(signs[:k] for k in range(half, -1, -1) if _columns(signs[:k]) <= half)
    tail = next(signs[-k:] for k in range(half, 0, -1) if _columns(signs[-k:]) <= half)
    return f"{head}…{tail}"


@styled
def accuracies(name: str, before: Accuracy, after: Accuracy, oracle: float) -> str:
    """Source-only and adapted accuracy: a dot a seed, the mean, its interval; and the oracle."""
    figure, axes = _panel(4.4, 2.1, left=1.15, bottom=0.35, top=0.3, right=0.25)
    for row, (one, colour) in enumerate([(before, BEFORE), (after, AFTER)]):
        axes.plot([one.low, one.high], [row, row], color=colour, linewidth=7, alpha=0.3)
        axes.plot(one.seeds, [row] * len(one.seeds), "o", color=colour, markersize=4, alpha=0.7)
        axes.plot(one.mean, row, "D", color=colour, markersize=8)
    axes.plot(oracle, 2, "D", color=INK, markersize=7, fillstyle="none")
    for row, mean in enumerate([before.mean, after.mean, oracle]):
        axes.text(mean, row - 0.22, f"{mean:.1%}", ha="center", va="bottom")
    axes.set_yticks([0, 1, 2], ["source-only", "adapted", "oracle (a bound)"])
    axes.set_ylim(2.4, -0.65)
    axes.tick_params(axis="y", length=0)
    _share_axis(axes)
    _title(figure, "Accuracy")
    said = f"Accuracy: source-only {before.mean:.1%}, adapted {after.mean:.1%}"
    return _svg(figure, name, f"{said}, oracle {oracle:.1%}")


@styled
def class_bars(name: str, title: str, rates: Mapping[str, tuple[float, float]]) -> str:
    """Two bars a class, source-only above adapted; shares in [0, 1]."""
    left, height = _name_width(rates), 0.4 * len(rates)
    figure, axes = _panel(4.4, height + 1.0, left=left, bottom=0.3, top=0.7, right=0.4)
    for offset, side, colour, label in (
        (-0.2, 0, BEFORE, "source-only"),
        (0.2, 1, AFTER, "adapted"),
    ):
        shares = [pair[side] for pair in rates.values()]
        rows = [row + offset for row in range(len(rates))]
        axes.barh(rows, shares, height=0.36, color=colour, label=label)
        for row, share in zip(rows, shares, strict=True):
            axes.text(share + 0.01, row, f"{share:.0%}", va="center", fontsize=7)
    axes.set_yticks(range(len(rates)), [shortened(label) for label in rates])
    axes.set_ylim(len(rates) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    _share_axis(axes)
    _title(figure, title)
    figure.legend(loc="upper left", bbox_to_anchor=(0, 1 - 0.25 / figure.get_figheight()), ncols=2)
    said = "; ".join(f"{n}: {old:.0%} before, {new:.0%} after" for n, (old, new) in rates.items())
    return _svg(figure, name, f"{title}. {said}")


@styled
def confusion(
    name: str, title: str, pairs: Sequence[tuple[str, str]], classes: Sequence[str]
) -> str:
    """Counts of (actual, predicted); a cell is the darker, the larger its share of its row."""
    counts, totals = Counter(pairs), Counter(actual for actual, _ in pairs)
    number = {label: position for position, label in enumerate(classes)}
    left = _name_width(classes) + 0.25
    side = max(4.4 - left, 0.17 * len(classes))
    below = 0.72 * _name_width(classes) + 0.4  # names stand at 45 degrees
    size = (left + side + 0.1, below + side + 0.3)
    figure, axes = _panel(*size, left=left, bottom=below, top=0.3, right=0.1)
    digits = max(2, len(str(max(counts.values()))))
    points = min(8.5, 108 / digits * side / len(classes))
    for (actual, predicted), count in sorted(counts.items()):
        x, y, share = number[predicted], number[actual], count / totals[actual]
        cell = Rectangle((x - 0.5, y - 0.5), 1, 1, color=AFTER, alpha=0.85 * share, linewidth=0)
        axes.add_patch(cell)
        axes.text(x, y, str(count), ha="center", va="center_baseline", fontsize=points)
    labels = [shortened(label) for label in classes]
    axes.set_xticks(range(len(classes)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), labels)
    axes.set(xlim=(-0.5, len(classes) - 0.5), ylim=(len(classes) - 0.5, -0.5))
    axes.set(xlabel="predicted", ylabel="actual")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    _title(figure, title)
    right = sum(counts[label, label] for label in classes)
    return _svg(figure, name, f"{title}: {right} of {len(pairs)} predictions on the diagonal")


@styled
def curve(name: str, title: str, runs: Mapping[str, Series]) -> str:
    """A thin line a seed and a thick one for their mean, over the epochs."""
    figure, axes = _panel(3.4, 2.2, left=0.55, bottom=0.45, top=0.35, right=0.1)
    for series in runs.values():
        axes.plot(list(series), list(series.values()), color=INK, linewidth=0.7, alpha=0.5)
    epochs = sorted({epoch for series in runs.values() for epoch in series})
    mean = [fmean(s[epoch] for s in runs.values() if epoch in s) for epoch in epochs]
    axes.plot(epochs, mean, color=AFTER, linewidth=2.2)
    whole = all(value.is_integer() for series in runs.values() for value in series.values())
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel("epoch")
    axes.grid()
    _title(figure, title)
    span = f"epoch {epochs[0]} to {epochs[-1]}"
    return _svg(figure, name, f"{title}, {span}: from {mean[0]:.4g} to {mean[-1]:.4g}")


@styled
def embedding(name: str, title: str, points: Sequence[Point], classes: Sequence[str]) -> str:
    """Videos as points, coloured and shaped by class; its axes mean nothing and are not drawn."""
    present = Counter(point.label for point in points)
    shown = [label for label in classes if present[label]][: len(COLOURS) * len(SHAPES)]
    columns = max(1, min(6, int(4.3 / (_name_width(shown) + 0.35))))
    legend = 0.19 * (-(-(len(shown) + 1) // columns)) + 0.1
    figure, axes = _panel(4.4, 4.0 + legend, left=0.05, bottom=legend, top=0.3, right=0.05)
    others = [point for point in points if point.label not in shown]
    if others:
        axes.scatter(*_xy(others), s=14, color=BEFORE, alpha=0.6, linewidths=0)
    for number, label in enumerate(shown):
        own = [point for point in points if point.label == label]
        colour, shape = COLOURS[number % len(COLOURS)], SHAPES[number % len(SHAPES)]
        axes.scatter(*_xy(own), s=22, color=colour, marker=shape, linewidths=0)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, alpha=0.3)
    axes.margins(0.04)
    _title(figure, title)
    names = ["other"] * bool(others) + [shortened(label) for label in shown]
    _legend(figure, list(axes.collections), names, columns)
    return _svg(figure, name, f"{title}: {len(points)} videos, {len(shown)} classes")


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _name_width(names: Mapping[str, object] | Sequence[str]) -> float:
    """Inches that the longest of these names takes, and a margin."""
    return COLUMN * max((_columns(shortened(name)) for name in names), default=0) + 0.15


def _panel(
    width: float, height: float, *, left: float, bottom: float, top: float, right: float
) -> tuple[Figure, Axes]:
    """A figure with one pair of axes; all in inches, so that no font's size moves anything."""
    figure = Figure((width, height))
    size = ((width - left - right) / width, (height - bottom - top) / height)
    return figure, figure.add_axes((left / width, bottom / height, *size))


def _title(figure: Figure, title: str) -> None:
    height = figure.get_figheight()
    figure.text(0.01, 1 - 0.08 / height, printable(title), va="top", weight="bold", fontsize=9.5)


def _legend(figure: Figure, marks: Sequence[Artist], names: Sequence[str], columns: int) -> None:
    """A legend below; the names are set afterwards, as one that begins with _ would be left out."""
    blank = ["x"] * len(names)
    legend = figure.legend(
        marks, blank, loc="lower left", ncols=columns, handletextpad=0.2, fontsize=8
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def _share_axis(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    axes.grid(axis="x")


def _xy(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [point.x for point in points], [point.y for point in points]


def _svg(figure: Figure, name: str, said: str) -> str:
    """The figure as SVG, made fit to stand in a page with others.

    Args: name, unique in the page; said, what it shows, for those who do not see it.
    """
    text = io.StringIO()
    unsaid = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with warnings.catch_warnings():  # the reader's fonts draw the text, and have more signs
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        figure.savefig(text, format="svg", metadata=unsaid)
    root = ElementTree.fromstring(text.getvalue())
    for parent in list(root.iter()):
        _make_portable(parent, name)
        for child in list(parent):
            if child.tag == f"{{{SVG}}}style" or (child.tag.endswith("defs") and not len(child)):
                parent.remove(child)
    root.attrib |= {"role": "img", "aria-label": printable(said)}
    root.attrib |= {"color": INK, "stroke-linejoin": "round"}
    paper = {"class": "paper", "width": "100%", "height": "100%", "fill": PAPER}
    root.insert(0, ElementTree.Element(f"{{{SVG}}}rect", paper))
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _make_portable(element: ElementTree.Element, name: str) -> None:
    """Ids that no other figure has, the page's ink, no white space between elements."""
    attributes = element.attrib
    if element.tag == f"{{{SVG}}}g":
        attributes.pop("id", None)
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    for key, mark in (("clip-path", "url(#"), (f"{{{XLINK}}}href", "#")):
        if key in attributes:
            attributes[key] = attributes[key].replace(mark, f"{mark}{name}-")
    if "style" in attributes:
        attributes["style"] = re.sub(INK, "currentColor", attributes["style"])
    if element.tag == f"{{{SVG}}}path":
        attributes["d"] = " ".join(attributes["d"].split())
    if len(element):
        element.text = None
    element.tail = None
