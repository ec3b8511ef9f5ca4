"""The benchmark from videos to features compares like with like, and its clock counts once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from films import write

from benchmarks import clock, plain_extraction
from benchmarks.clock import Clock
from benchmarks.extraction import random_weights
from pipeline import backbones, flow
from pipeline.backbones import Stream
from pipeline.video import Resize


@pytest.fixture(scope="module", name="weights")
def _weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng():
        return random_weights(tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize("stream", ["rgb", "flow"])
def test_the_plain_network_is_the_pipelines(stream: Stream, weights: Path) -> None:
    shape = (2, 8, 32, 32, backbones.CHANNELS[stream])
    codes = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    plain = plain_extraction.features(codes, weights / f"{stream}.safetensors")
    scaled = torch.from_numpy(codes).float().permute(0, 4, 1, 2, 3) / 255 * 2 - 1
    ours = backbones.load("i3d", stream, weights)(scaled).numpy()
    assert plain.shape == ours.shape == (2, 1024)
    assert np.linalg.norm(plain - ours) < 1e-4 * np.linalg.norm(ours)


@pytest.mark.parametrize(("resize", "shape"), [("squash", (32, 32)), ("crop", (37, 49))])
def test_the_plain_way_resizes_as_the_pipeline_does(
    resize: Resize, shape: tuple[int, int], tmp_path: Path
) -> None:
    frames = plain_extraction.decode(write(tmp_path / "a.mp4", 5), 32, resize)
    assert frames.shape == (5, *shape, 3)


def test_the_plain_flow_is_the_pipelines_reference() -> None:
    texture = np.random.default_rng(0).integers(0, 256, (9, 9), np.uint8).repeat(4, 0).repeat(4, 1)
    frames = np.stack([texture, np.roll(texture, 1, axis=1)])[..., None].repeat(3, axis=3)
    codes = plain_extraction.flow_codes(frames, [0])[0]
    grey = frames[..., 0].copy()
    field = flow.tvl1(grey[0], grey[1], implementation="opencv")
    assert (codes == np.moveaxis(flow.to_code(field, plain_extraction.BOUND), 0, -1)).all()


def test_time_inside_a_part_counts_for_the_inner_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 4.0, 10.0])  # outer starts, inner starts, inner ends, outer ends
    monkeypatch.setattr(clock.time, "perf_counter", lambda: next(now))
    timer = Clock()
    inner = timer.timed("inner", lambda: "answer")
    assert timer.timed("outer", inner)() == "answer"
    assert timer.seconds == {"inner": 3.0, "outer": 7.0}


class Work:
    """Something to be timed."""

    def __call__(self) -> int:
        return 3


def test_what_was_watched_is_as_it_was() -> None:
    before: Any = Work.__call__
    timer = Clock()
    with timer.watching({"work": (Work, "__call__")}):
        assert Work()() == 3
    assert list(timer.seconds) == ["work"]
    assert Work.__call__ is before
