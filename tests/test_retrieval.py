"""What lies nearest: cosines, ties, labels; and the source as a model that takes it as it is."""

import math

import pytest
import torch

from pipeline import both_domains
from pipeline.both_domains import Side
from pipeline.features import Features
from pipeline.network import RelationNetwork
from pipeline.retrieval import nearest
from pipeline.stages.retrieval import of_source


def test_the_nearest_is_that_of_the_largest_cosine_whatever_the_length() -> None:
    gallery = torch.tensor([[1.0, 0.0], [0.0, 30.0], [0.1, 0.1]])
    found = nearest(torch.tensor([[0.0, 2.0], [5.0, 4.0]]), gallery, 2)
    assert found.positions.tolist() == [[1, 2], [2, 0]]
    assert found.similarities[0].tolist() == pytest.approx([1.0, math.sqrt(0.5)])
    assert found.similarities[1].tolist() == pytest.approx([9 / math.sqrt(82), 5 / math.sqrt(41)])


def test_it_is_what_a_slow_search_finds() -> None:
    drawn = torch.Generator().manual_seed(0)
    queries, gallery = (torch.randn(n, 7, generator=drawn).relu() for n in (5, 11))
    for query, positions in zip(queries, nearest(queries, gallery, 11).positions, strict=True):
        cosines = [float(query @ row / (query.norm() * row.norm())) for row in gallery]
        assert positions.tolist() == sorted(range(11), key=lambda row: -cosines[row])


def test_equals_stand_in_the_gallerys_order_and_no_more_is_found_than_there_is() -> None:
    gallery = torch.tensor([[0.0, 0.0], [2.0, 2.0], [1.0, 1.0], [3.0, 3.0]])
    found = nearest(torch.ones(1, 2), gallery, 9)
    assert found.positions.tolist() == [[1, 2, 3, 0]]
    assert found.similarities[0].tolist() == pytest.approx([1, 1, 1, 0])


def test_features_that_are_all_zero_are_like_nothing() -> None:
    found = nearest(torch.zeros(1, 2), torch.ones(3, 2), 3)
    assert found.positions.tolist() == [[0, 1, 2]]
    assert found.similarities.tolist() == [[0, 0, 0]]


def sides() -> tuple[Side, Side]:
    target = Side(("a", "b", "c"), torch.eye(3), {"a": "run", "b": "wave"})
    source = Side(("x", "y", "z"), torch.eye(3), {"x": "run", "y": "run", "z": "wave"})
    return target, source


def test_only_labelled_videos_count_for_the_share_of_a_class() -> None:
    target, source = sides()
    found = nearest(target.fused, source.fused, 1)
    assert both_domains.same_class(target, source, found) == 0.5  # a is right, b is not
    unlabelled = target._replace(labels={})
    assert both_domains.same_class(unlabelled, source, found) is None


def test_rows_name_what_was_found_in_its_order() -> None:
    target, source = sides()
    rows = both_domains.found("adapted", target, source, nearest(target.fused, source.fused, 2))
    assert [(r["key"], r["rank"], r["nearest"], r["nearest_label"]) for r in rows[2:4]] == [
        ("b", 1, "y", "run"),
        ("b", 2, "x", "run"),
    ]
    assert rows[-1]["label"] is None


def test_points_of_both_domains_lie_in_one_plane_and_few_are_drawn() -> None:
    drawn = torch.Generator().manual_seed(0)
    many = Side(tuple(f"v{k:02d}" for k in range(20)), torch.rand(20, 4, generator=drawn), {})
    rows = both_domains.points("adapted", {"lab": many, "yard": many}, 7)
    assert [row["domain"] for row in rows] == ["lab"] * 7 + ["yard"] * 7
    assert [row["key"] for row in rows[:7]] == [f"v{k:02d}" for k in range(0, 20, 3)]
    assert both_domains.points("adapted", {"lab": many}, 3) == []


def test_the_source_is_seen_without_what_is_done_to_the_targets_clips() -> None:
    drawn = torch.Generator().manual_seed(0)
    clips = Features(("a", "b"), *torch.rand(2, 2, 3, 8, generator=drawn).unbind())
    model = RelationNetwork(8, 2, layers=1).eval()
    plain = model(clips.rgb, clips.flow).fused
    model.inputs.know(clips)
    model.inputs.match(Features(clips.keys, 9 * clips.rgb + 4, clips.flow))
    changed = model(clips.rgb, clips.flow).fused
    assert not torch.allclose(changed, plain)
    assert torch.equal(of_source(model)(clips.rgb, clips.flow).fused, plain)
    assert torch.equal(model(clips.rgb, clips.flow).fused, changed)  # the model itself stays
