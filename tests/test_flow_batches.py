"""Flow in batches across videos: each video gets its own, in order, whatever the batches."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import waves
from pipeline import clips, flow, lossless, per_video, shards
from pipeline.errors import UserError
from pipeline.flow import TVL1, ahead, batched_tvl1, batches
from pipeline.flow_extraction import FlowExtractor
from pipeline.index import Video
from pipeline.stages.flow import Flow
from pipeline.staging import Staging

QUICK = TVL1(scales=1, warps=1, outer_iterations=1)
SMALL, WIDE = (18, 16), (22, 16)
CPU = torch.device("cpu")


def pairs(number: int, count: int, size: waves.Size = SMALL) -> batches.Codes:
    return np.stack([waves.moving(size, 10 * number + k, shift=1).pair for k in range(count)])


def expected(frames: batches.Codes) -> batches.Codes:
    fields = [flow.tvl1(*pair, parameters=QUICK) for pair in frames]
    return np.stack([np.concatenate(list(flow.to_code(field, 2))) for field in fields])


def coded(videos: list[batches.Codes], limit: int) -> dict[int, batches.Codes]:
    pixels = limit * SMALL[0] * SMALL[1]
    made = batches.codes(enumerate(videos), device=CPU, bound=2, parameters=QUICK, pixels=pixels)
    return dict(made)


@pytest.mark.parametrize("limit", [0, 1, 4, 7, 100])
def test_batches_across_videos_give_what_each_video_gives_alone(limit: int) -> None:
    videos = [pairs(number, count) for number, count in enumerate((3, 1, 5, 2, 4))]
    got = coded(videos, limit)
    assert list(got) == [0, 1, 2, 3, 4]
    for number, frames in enumerate(videos):
        np.testing.assert_array_equal(got[number], expected(frames))


def test_videos_of_two_sizes_do_not_share_batches() -> None:
    videos = [pairs(number, 2, size) for number, size in enumerate((SMALL, WIDE, SMALL, WIDE))]
    got = coded(videos, 3)
    assert sorted(got) == [0, 1, 2, 3]
    for number, frames in enumerate(videos):
        np.testing.assert_array_equal(got[number], expected(frames))


def test_a_video_without_a_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        coded([pairs(0, 1)[:0]], 4)


def test_threads_ahead_keep_the_order_and_the_limit() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            drawn.append(number)
            yield number

    for place, result in enumerate(ahead.mapped(lambda number: number**2, items(), ahead=4)):
        assert result == place**2
        assert len(drawn) <= place + 4
    assert drawn == list(range(20))


def test_threads_ahead_work_while_the_caller_does() -> None:
    started = threading.Event()

    def work(number: int) -> int:
        if number == 1:
            started.set()
        return number

    results = ahead.mapped(work, range(3), ahead=2)
    assert next(results) == 0
    assert started.wait(10)


def test_what_a_thread_raises_is_raised_in_its_turn() -> None:
    results = ahead.mapped(lambda number: 1 // (2 - number), range(5), ahead=3)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.fixture(name="work")
def _work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """Two small videos among the frames of a project."""
    monkeypatch.chdir(tmp_path)
    plan: dict[str, Any] = {"segments": 1, "windows": 1, "frames": 8, "sampling": "spread"}
    entries = dict[str, bytes]()
    for key, seed in (("a", 0), ("b", 1)):
        numbers = np.unique(clips.plan(12, **plan).pairs)
        numbers = np.union1d(numbers, numbers + 1).tolist()
        across = np.sin((np.arange(16) + np.arange(len(numbers))[:, None]) / 3 + seed)
        grey = np.repeat((120 + 90 * across).astype(np.uint8)[:, None], 16, axis=1)
        frames = np.repeat(grey[..., None], 3, axis=-1)
        note = {"n_frames": 12, "numbers": numbers, "fps": 25.0}
        entries[key] = lossless.encode(frames, fps=25, note=note)
    shards.publish(
        tmp_path / "frames",
        entries,
        fingerprints={key: f"made-of-{key}" for key in entries},
        sizes={key: len(content) for key, content in entries.items()},
        provenance={"clips": plan, "decode": {"size": 16}},
    )
    return Flow(tmp_path / "frames", FlowExtractor("numba", 20))


def jobs() -> list[per_video.Job]:
    rows = [Video(key, key, None, None, "train", "0" * 64) for key in ("a", "b")]
    return [per_video.Job(row, f"flow-of-{row.key}") for row in rows]


def test_the_stage_writes_in_batches_what_it_writes_video_by_video(
    work: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched_tvl1, "gpu", lambda: CPU)
    staging = Staging("flow", "here")
    with staging.lock():
        assert work.in_batches(staging, jobs()) == []
    for job in jobs():
        assert staging.read(job.fingerprint) == work(job)
    codes, note = lossless.decode(staging.read("flow-of-a"))
    assert len(codes) == len(note["pairs"]) > 1


def test_the_stage_tells_that_there_is_no_gpu(work: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="finds no GPU"):
        work.in_batches(Staging("flow", "here"), jobs())
