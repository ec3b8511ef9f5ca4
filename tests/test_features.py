from dataclasses import fields

import pytest
import torch

from pipeline.errors import UserError
from pipeline.features import Features

KEYS = ("a.mp4", "b.mp4", "c.mp4")


def features() -> Features:
    return Features(KEYS, torch.arange(24.0).view(3, 2, 4), -torch.arange(24.0).view(3, 2, 4))


def test_there_is_no_place_for_labels() -> None:
    assert [field.name for field in fields(Features)] == ["keys", "rgb", "flow"]
    with pytest.raises(TypeError):
        Features(KEYS, *[torch.zeros(3, 2, 4)] * 2, labels=torch.zeros(3))  # type: ignore[call-arg]
    with pytest.raises((AttributeError, TypeError)):
        features().labels = torch.zeros(3)  # type: ignore[attr-defined]


def test_sizes_are_named() -> None:
    assert (len(features()), features().clips, features().dim) == (3, 2, 4)


def test_select_keeps_keys_and_rows_together() -> None:
    chosen = features().select(torch.tensor([2, 0]))
    assert chosen.keys == ("c.mp4", "a.mp4")
    assert torch.equal(chosen.rgb, features().rgb[[2, 0]])
    assert torch.equal(chosen.flow, features().flow[[2, 0]])
    assert features().select([1]).keys == ("b.mp4",)


def test_some_of_the_clips_lie_in_memory_of_their_own() -> None:
    rgb, flow = torch.arange(48.0).view(2, 3, 4, 2).unbind()
    every_other = Features(KEYS, rgb, flow).of_clips(slice(1, None, 2))
    assert every_other.keys == KEYS
    assert every_other.rgb.equal(rgb[:, 1::2])
    assert every_other.flow.equal(flow[:, 1::2])
    assert every_other.rgb.is_contiguous()
    assert every_other.flow.is_contiguous()


def test_to_takes_everything_along() -> None:
    moved = features().to("cpu")
    assert moved.keys == KEYS
    assert torch.equal(moved.rgb, features().rgb)
    assert torch.equal(moved.flow, features().flow)


@pytest.mark.parametrize(
    ("keys", "rgb", "flow", "message"),
    [
        (3, (3, 2, 4), (3, 2, 5), r"\(3, 2, 4\), flow \(3, 2, 5\)"),
        (3, (3, 4), (3, 4), r"\(3, 4\)"),
        (2, (3, 2, 4), (3, 2, 4), "2 keys for 3 videos"),
        (0, (0, 2, 4), (0, 2, 4), r"\(0, 2, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_sides(
    keys: int, rgb: tuple[int, ...], flow: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Features(KEYS[:keys], torch.zeros(rgb), torch.zeros(flow))


def test_types_that_differ_are_refused() -> None:
    with pytest.raises(UserError, match=r"float32 and torch\.float64"):
        Features(KEYS, torch.zeros(3, 2, 4), torch.zeros(3, 2, 4, dtype=torch.float64))
    with pytest.raises(UserError, match="floating point"):
        Features(KEYS, *[torch.zeros(3, 2, 4, dtype=torch.int64)] * 2)


def test_a_value_that_is_not_finite_is_refused_with_its_video() -> None:
    flow = torch.zeros(3, 2, 4)
    flow[1, 0, 2] = torch.nan
    with pytest.raises(UserError, match=r"flow of 1 of 3 videos.*'b\.mp4'"):
        Features(KEYS, torch.zeros(3, 2, 4), flow)
