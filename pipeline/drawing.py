"""What all figures share: SVG text, one panel each, the same bytes for the same numbers.

Text stays text and takes the reader's fonts, so that names in any script show. Ink is
`currentColor`, so that a page can be dark; elsewhere a figure is black on white. Colours are those
of Okabe & Ito (2008), which colour-blind people can tell apart.
"""

import io
import re
import warnings
from xml.etree import ElementTree

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.html import printable

INK, PAPER = "#1b1f24", "#ffffff"
BEFORE, AFTER = "#8a8f98", "#0072b2"  # source-only, adapted
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


def panel(
    width: float, height: float, *, left: float, bottom: float, top: float, right: float
) -> tuple[Figure, Axes]:
    """A figure with one pair of axes; all in inches, so that no font's size moves anything."""
    figure = Figure((width, height))
    size = ((width - left - right) / width, (height - bottom - top) / height)
    return figure, figure.add_axes((left / width, bottom / height, *size))


def titled(figure: Figure, title: str) -> None:
    """Writes the title at the top left."""
    height = figure.get_figheight()
    figure.text(0.01, 1 - 0.08 / height, printable(title), va="top", weight="bold", fontsize=9.5)


def svg(figure: Figure, name: str, said: str) -> str:
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
