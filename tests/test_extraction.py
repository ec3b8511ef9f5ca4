"""From shards to features: clips are cut as planned, and a video's features are its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline import backbones, clips, extraction
from pipeline.backbones.folding import fold_batchnorm
from pipeline.backbones.i3d import I3D
from pipeline.errors import UserError
from pipeline.extraction import Extractor, VideoClips, extract_many, extract_video, read_entry

SIZE, FRAMES = 32, 8
PLAN: dict[str, Any] = {"segments": 3, "windows": 2, "frames": FRAMES, "sampling": "spread"}


@pytest.fixture(scope="module", name="extractor")
def _extractor() -> Extractor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rgb, flow = (lively(I3D(channels, width=0.05)) for channels in (3, 2))
    return Extractor(rgb, flow, torch.device("cpu"), torch.float32)


def lively(model: I3D) -> I3D:
    """Gives weights a size at which features neither vanish nor explode."""
    for module in model.modules():
        if isinstance(module, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(module.weight)
    return model.eval()


def patches(number: int, count: int) -> NDArray[np.uint8]:
    """Clips (count, F, h, w, 3) of coloured patches."""
    drawn = np.random.default_rng(number)
    coarse = drawn.integers(0, 256, (count, FRAMES // 4, 2, 2, 3), np.uint8)
    return coarse.repeat(4, axis=1).repeat(SIZE // 2, axis=2).repeat(SIZE // 2, axis=3)


def cut(number: int, count: int) -> VideoClips:
    """`count` clips, as of a video of that many segments."""
    plan = clips.plan(50 + number, segments=count, windows=1, frames=FRAMES, sampling="spread")
    rgb = patches(number, count)
    return VideoClips(rgb, rgb[..., :2].copy(), plan, n_frames=50 + number, fps=25.0 + number)


def alone(extractor: Extractor, cuts: Sequence[VideoClips]) -> list[bytes]:
    return [extract_video(extractor, one) for one in cuts]


def together(extractor: Extractor, cuts: Sequence[VideoClips], batch: int) -> list[bytes]:
    got = list(extract_many(extractor, enumerate(cuts), batch))
    assert [number for number, _ in got] == list(range(len(cuts)))
    return [content for _, content in got]


def difference(one: bytes, other: bytes) -> float:
    """How far two entries' features are apart, as a share of their length; the rest is equal."""
    first, second = read_entry("f", one), read_entry("f", other)
    assert (first.frames == second.frames).all()
    assert (first.n_frames, first.fps) == (second.n_frames, second.fps)
    assert first.rgb.shape == second.rgb.shape
    assert first.flow.shape == second.flow.shape
    parts = ((first.rgb, second.rgb), (first.flow, second.flow))
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(a)) for a, b in parts)


COUNTS = (3, 1, 5, 2, 7, 3)


@pytest.mark.parametrize("batch", [1, 4, 7, 64])
def test_batches_across_videos_give_what_each_video_gives_alone(
    batch: int, extractor: Extractor
) -> None:
    cuts = [cut(number, count) for number, count in enumerate(COUNTS)]
    assert read_entry("f", alone(extractor, cuts)[0]).rgb.std() > 0.1
    pairs = zip(alone(extractor, cuts), together(extractor, cuts, batch), strict=True)
    assert max(difference(one, other) for one, other in pairs) < 1e-5


def test_batches_of_one_size_give_the_same_whatever_stands_beside_a_video(
    extractor: Extractor,
) -> None:
    """The neighbours change, and the place in the batch."""
    cuts = [cut(number, count) for number, count in enumerate(COUNTS)]
    forth = together(extractor, cuts, 4)
    back = together(extractor, cuts[::-1], 4)[::-1]
    some = together(extractor, cuts[2:], 4)
    assert max(difference(one, other) for one, other in zip(forth, back, strict=True)) < 1e-5
    assert max(difference(one, other) for one, other in zip(forth[2:], some, strict=True)) < 1e-5


def test_what_fills_up_the_last_batch_reaches_no_video(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noise(codes: NDArray[np.uint8], batch: int) -> NDArray[np.uint8]:
        rest = np.full((batch - len(codes), *codes.shape[1:]), 255, np.uint8)
        return np.concatenate([codes, rest])

    cuts = [cut(0, 3), cut(1, 2)]
    zeros = together(extractor, cuts, 4)
    monkeypatch.setattr(extraction, "_filled", noise)
    ones = together(extractor, cuts, 4)
    assert [difference(one, other) for one, other in zip(zeros, ones, strict=True)] == [0, 0]


def test_every_batch_has_the_same_number_of_clips(extractor: Extractor) -> None:
    seen = []

    class Counting(Extractor):
        def start(self, rgb: NDArray[np.uint8], flow: NDArray[np.uint8]) -> extraction.Pending:
            seen.append((len(rgb), len(flow)))
            return super().start(rgb, flow)

    counting = Counting(extractor.rgb, extractor.flow, extractor.device, extractor.precision)
    together(counting, [cut(number, count) for number, count in enumerate(COUNTS)], 4)
    assert seen == [(4, 4)] * 6  # 21 clips


def test_no_videos_are_no_features(extractor: Extractor) -> None:
    assert list(extract_many(extractor, iter(()), 4)) == []


def test_videos_are_read_only_when_a_batch_needs_them(extractor: Extractor) -> None:
    """A thousand videos must not stand in memory at once."""
    read = []

    def reading() -> Iterator[tuple[int, VideoClips]]:
        for number in range(6):
            read.append(number)
            yield number, cut(number, 4)

    many = extract_many(extractor, reading(), 4)
    for number in range(6):
        assert next(many)[0] == number
        assert read == list(range(min(number + 2, 6)))  # one batch is on its way


def test_codes_are_scaled_to_plus_and_minus_one() -> None:
    """The mean of a clip stands for the network: 0 -> -1, 255 -> 1, 127.5 -> 0."""

    class Mean(torch.nn.Module):
        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            assert clips.dtype == torch.float32
            return clips.mean(dim=(2, 3, 4))

    simple = Extractor(Mean(), Mean(), torch.device("cpu"), torch.float32)
    rgb = np.empty((1, FRAMES, SIZE, SIZE, 3), np.uint8)
    rgb[..., 0], rgb[..., 1], rgb[..., 2] = 0, 255, 51
    flow = np.concatenate([rgb[..., 2:], rgb[..., 1:2]], axis=-1)
    features, flow_features = simple(rgb, flow)
    assert features.tolist() == pytest.approx(np.array([[-1, 1, -0.6]]))
    assert flow_features.tolist() == pytest.approx(np.array([[-0.6, 1]]))


@pytest.mark.parametrize("pixels", [1, 3 * FRAMES * SIZE**2])
def test_clips_in_several_passes_give_the_same_as_in_one(
    pixels: int, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = replace(extractor, rgb=cpu_form(extractor.rgb), flow=cpu_form(extractor.flow))
    whole = extract_video(frozen, cut(1, 7))
    assert difference(extract_video(extractor, cut(1, 7)), whole) < 1e-5
    monkeypatch.setattr(extraction, "PASS", pixels)
    assert extract_video(frozen, cut(1, 7)) == whole


def cpu_form(model: torch.nn.Module) -> torch.nn.Module:
    return backbones.for_cpu(fold_batchnorm(model).requires_grad_(False))


def test_half_precision_keeps_the_direction_of_the_features(extractor: Extractor) -> None:
    """As on a GPU: parameters and clips in bfloat16, features in float32."""
    rgb, flow = (fold_batchnorm(model).bfloat16() for model in (extractor.rgb, extractor.flow))
    half = Extractor(rgb, flow, torch.device("cpu"), torch.bfloat16)
    one = cut(1, 3)
    for found, expected in zip(half(one.rgb, one.flow), extractor(one.rgb, one.flow), strict=True):
        assert found.dtype == np.float32
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
        assert ((found * expected).sum(axis=1) / lengths).min() >= 0.999
        assert (found != expected).any()


def test_an_entry_holds_what_the_store_needs(extractor: Extractor) -> None:
    one = cut(3, 6)
    one = replace(one, plan=clips.plan(53, **PLAN))
    entry = read_entry("abc", extract_video(extractor, one))
    assert entry.fingerprint == "abc"
    assert entry.rgb.shape == entry.flow.shape == (3, 2, extractor.rgb.dim)
    assert entry.rgb.dtype == entry.flow.dtype == np.float32
    assert (entry.frames == one.plan.frames).all()
    assert (entry.n_frames, entry.fps) == (53, 28.0)
    rgb, _ = extractor(one.rgb, one.flow)
    assert (entry.rgb.reshape(6, -1) == rgb).all()


def test_an_entry_is_the_same_to_the_byte(extractor: Extractor) -> None:
    assert extract_video(extractor, cut(1, 3)) == extract_video(extractor, cut(1, 3))


def test_half_precision_needs_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bfloat16 needs a GPU, there is none; use float32"):
        extraction.extractor("i3d_nano", tmp_path, "bfloat16", "cpu")
