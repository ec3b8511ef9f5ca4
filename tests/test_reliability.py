from xml.etree import ElementTree

import pytest

from pipeline import drawing
from pipeline.reliability import Bin, bins, reliability


def test_a_bin_holds_the_mean_confidence_and_the_share_that_is_right() -> None:
    made = bins([(0.31, True), (0.39, False), (0.95, True), (1.0, True), (0.0, False)])
    assert [one.videos for one in made] == [1, 2, 2]
    assert [one.right for one in made] == [0.0, 0.5, 1.0]
    assert [one.confidence for one in made] == pytest.approx([0.0, 0.35, 0.975])
    assert bins([]) == []


def test_the_figure_tells_those_who_do_not_see_it_and_is_the_same_each_time() -> None:
    one, other = [Bin(0.5, 0.4, 10)], [Bin(0.6, 0.5, 4), Bin(0.9, 0.75, 6)]
    drawn = reliability("reliability", "Reliability", one, other)
    assert drawn == reliability("reliability", "Reliability", one, other)
    root = ElementTree.fromstring(drawn)
    said = "Reliability; adapted: of those surest, 75% right at 90% confidence"
    assert root.get("aria-label") == said
    assert {f"{drawing.SVG}"} == {root.tag[1:].partition("}")[0]}
