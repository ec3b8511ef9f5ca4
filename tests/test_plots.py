"""Figures: SVG that says what it should, whatever the names are, and the same every time."""

import re
from collections.abc import Callable
from functools import cache
from xml.etree import ElementTree

import matplotlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import html, plots

HOSTILE = ["<script>alert(1)</script>", "$\\frac{x}{$", "\"&' url(#p)", "跑步", "_hidden", "a\x00b"]


def draw_accuracies(classes: list[str]) -> str:
    before = plots.Accuracy(0.5, 0.4, 0.6, [0.4, 0.6])
    return plots.accuracies("a", before, plots.Accuracy(0.7, 0.6, 0.8, [0.7, 0.7]), 0.75)


def draw_bars(classes: list[str]) -> str:
    return plots.class_bars("b", "Bars", dict.fromkeys(classes, (0.25, 0.5)))


def draw_confusion(classes: list[str]) -> str:
    return plots.confusion("c", "Confusion", [(classes[0], classes[1])] * 3, classes)


def draw_curve(classes: list[str]) -> str:
    return plots.curve("d", "Curve", {"0": {0: 1.0, 1: 2.0}, "1": {0: 3.0, 1: 4.0}})


def draw_embedding(classes: list[str]) -> str:
    points = [plots.Point(k, -k, name) for k, name in enumerate(classes)]
    return plots.embedding("e", "Embedding", points, classes)


@cache
def simple(draw: Callable[[list[str]], str]) -> str:
    return draw(["x", "y"])


DRAWERS = [draw_accuracies, draw_bars, draw_confusion, draw_curve, draw_embedding]


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(f"{{{plots.SVG}}}{tag}"))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in elements(svg, "text")]


@pytest.mark.parametrize("draw", DRAWERS)
def test_the_same_numbers_give_the_same_bytes_whatever_the_users_style(
    draw: Callable[[list[str]], str],
) -> None:
    plain = simple(draw)
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.fonttype": "path"}):
        assert draw(["x", "y"]) == plain


@pytest.mark.parametrize("draw", DRAWERS)
def test_drawing_leaves_matplotlibs_settings_alone(draw: Callable[[list[str]], str]) -> None:
    before = dict(matplotlib.rcParams)
    draw(["x", "y"])
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("draw", DRAWERS)
def test_a_figure_is_an_image_that_says_what_it_shows(draw: Callable[[list[str]], str]) -> None:
    root = ElementTree.fromstring(simple(draw))
    assert root.get("role") == "img"
    assert len(root.get("aria-label", "")) > 20


@pytest.mark.parametrize("draw", DRAWERS)
def test_ink_follows_the_page(draw: Callable[[list[str]], str]) -> None:
    svg = simple(draw)
    assert "currentColor" in svg
    assert svg.count(plots.INK) == 1  # on the root, for where no page says otherwise
    assert not elements(svg, "style")  # it would style the whole page


@pytest.mark.parametrize("draw", DRAWERS)
def test_every_reference_has_its_target_within_the_figure(
    draw: Callable[[list[str]], str],
) -> None:
    root = ElementTree.fromstring(simple(draw))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    values = [value for element in root.iter() for value in element.attrib.values()]
    used = {
        match.group(1)
        for value in values
        if (match := re.fullmatch(r"url\(#(.*)\)|#((?![0-9a-f]{6}$).*)", value))
    } - {None}
    links = {element.get(f"{{{plots.XLINK}}}href", "#")[1:] for element in root.iter()} - {""}
    assert len(ids) == len(set(ids))
    assert used | links <= set(ids)


@pytest.mark.parametrize("draw", [draw_bars, draw_confusion, draw_embedding])
def test_hostile_names_are_text_and_no_formula(draw: Callable[[list[str]], str]) -> None:
    svg = draw(HOSTILE)
    shown = texts(svg)
    for name in (
        "<script>…/script>",
        "$\\frac{x}{$",
        "\"&' url(#p)",
        "跑步",
        "_hidden",
        "a\ufffdb",
    ):
        assert name in shown
    assert not elements(svg, "script")


def test_a_name_that_fits_stays_and_a_longer_one_loses_its_middle() -> None:
    assert plots.shortened("x" * 18) == "x" * 18
    assert plots.shortened("left" + "x" * 200 + "right") == "leftxxxx…xxxright"
    assert plots.shortened("走" * 9) == "走" * 9
    assert plots.shortened("走" * 10) == "走走走走…走走走走"


@settings(deadline=None)
@given(st.text())
def test_a_shortened_name_prints_and_fits_its_columns(name: str) -> None:
    short = plots.shortened(name)
    assert plots._columns(short) <= plots.LONGEST
    assert html.printable(short) == short


def test_signs_without_a_picture_are_replaced_and_joiners_stay() -> None:
    assert html.printable("a\tb\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert html.printable("می\u200cخواهم") == "می\u200cخواهم"


def test_a_curve_is_told_by_its_mean_over_the_seeds() -> None:
    label = ElementTree.fromstring(draw_curve([])).get("aria-label")
    assert label == "Curve, epoch 0 to 1: from 2 to 3"


def test_seeds_of_different_length_are_averaged_where_they_are() -> None:
    svg = plots.curve("c", "Curve", {"0": {1: 1.0, 2: 5.0}, "1": {1: 3.0}})
    assert "from 2 to 5" in svg


def test_a_confusion_cell_shows_its_count_and_its_share_of_the_row() -> None:
    pairs = [("x", "x")] * 3 + [("x", "y")] + [("y", "y")] * 2
    svg = plots.confusion("c", "Confusion", pairs, ["x", "y"])
    assert "5 of 6 predictions on the diagonal" in svg
    assert [text for text in texts(svg) if text.isdigit()] == ["3", "1", "2"]
    styles = [element.get("style", "") for element in elements(svg, "path")]
    cells = [style for style in styles if style.startswith(f"fill: {plots.AFTER}")]
    opacities = [float(re.findall(r"opacity: ([\d.]+)", style)[0]) for style in cells]
    assert opacities == pytest.approx([0.85 * 0.75, 0.85 * 0.25, 0.85])


def test_bars_say_both_shares_of_each_class() -> None:
    svg = plots.class_bars("b", "Bars", {"x": (0.25, 0.5), "y": (0.0, 1.0)})
    assert {"25%", "50%", "0%", "100%"} <= set(texts(svg))
    assert "x: 25% before, 50% after; y: 0% before, 100% after" in svg


def test_the_oracle_is_named_a_bound() -> None:
    assert "oracle (a bound)" in texts(draw_accuracies([]))


def test_classes_differ_in_colour_or_shape_and_those_beyond_are_others() -> None:
    classes = [f"class {k}" for k in range(50)]
    svg = draw_embedding(classes)
    named = [text for text in texts(svg) if text in classes]
    assert named == classes[:42]
    assert "other" in texts(svg)
    marks = {(use.get(f"{{{plots.XLINK}}}href"), use.get("style")) for use in elements(svg, "use")}
    assert len(marks) == 43


def test_a_video_of_no_class_of_the_task_is_drawn_as_another() -> None:
    svg = plots.embedding("e", "E", [plots.Point(0, 0, "x"), plots.Point(1, 1, "unknown")], ["x"])
    assert {"x", "other"} <= set(texts(svg))
    assert "unknown" not in texts(svg)
