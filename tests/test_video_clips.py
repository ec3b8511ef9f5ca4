"""Clips out of shards and out of raw videos: cut as planned, and the same from both."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import write, write_pictures

from pipeline import clips, lossless, params, shards, video
from pipeline.decoding import VideoDecoder
from pipeline.errors import UserError, VideoError
from pipeline.flow_extraction import FlowExtractor
from pipeline.index import Video
from pipeline.per_video import Job
from pipeline.stages.decode import Decode
from pipeline.stages.flow import Flow
from pipeline.video_clips import Published, Streamed

SIZE, FRAMES = 32, 8
PLAN: dict[str, Any] = {"segments": 3, "windows": 2, "frames": FRAMES, "sampling": "spread"}


def job(key: str) -> Job:
    return Job(Video(key, key, None, None, "train", sha256="0"), "")


def publish(
    folder: Path, key: str, content: bytes, fingerprint: str, provenance: dict[str, Any]
) -> None:
    made_from, sizes = {key: fingerprint}, {key: len(content)}
    shards.publish(
        folder, {key: content}, fingerprints=made_from, sizes=sizes, provenance=provenance
    )


def published(folder: Path, n_frames: int, said: int | None = None) -> None:
    """Frames whose red is their number, flow whose x and y are its first frame's number and 200."""
    plan = clips.plan(n_frames, **PLAN)
    numbers, pairs = plan.needed.tolist(), np.unique(plan.pairs).tolist()
    frames = np.zeros((len(numbers), SIZE, SIZE, 3), np.uint8)
    frames[..., 0] = np.array(numbers)[:, None, None]
    codes = np.full((len(pairs), 2 * SIZE, SIZE), 200, np.uint8)
    codes[:, :SIZE] = np.array(pairs)[:, None, None]
    note = {"numbers": numbers, "n_frames": said or n_frames, "fps": 12.5}
    contents = {
        "frames": lossless.encode(frames, fps=12.5, note=note),
        "flow": lossless.encode(codes, fps=12.5, note={"pairs": pairs}),
    }
    for name, content in contents.items():
        made_by = {"clips": PLAN, "decode": {"size": SIZE}}
        publish(folder / name, "walk/a.mp4", content, name, made_by)


@pytest.mark.parametrize("n_frames", [2, 3, 7, 48, 200])
def test_clips_show_the_planned_frames_and_the_flow_beside_each(
    n_frames: int, tmp_path: Path
) -> None:
    published(tmp_path, n_frames)
    read = Published(tmp_path / "frames", tmp_path / "flow").read(job("walk/a.mp4"))
    plan = clips.plan(n_frames, **PLAN)
    assert read.rgb.shape == (6, FRAMES, SIZE, SIZE, 3)
    assert read.flow.shape == (6, FRAMES, SIZE, SIZE, 2)
    assert (read.rgb[..., 0] == plan.frames.reshape(6, FRAMES, 1, 1)).all()
    assert (read.flow[..., 0] == plan.pairs.reshape(6, FRAMES, 1, 1)).all()
    assert (read.flow[..., 1] == 200).all()
    assert (read.n_frames, read.fps) == (n_frames, 12.5)


def test_frames_of_another_plan_are_refused(tmp_path: Path) -> None:
    published(tmp_path, 48, said=90)
    with pytest.raises(UserError, match="frames and flow are not of one clip plan"):
        Published(tmp_path / "frames", tmp_path / "flow").read(job("walk/a.mp4"))


# straight from the videos


def streamed(root: Path, resize: str) -> Streamed:
    sizes = {"size": SIZE, "resize": resize}
    decoder = VideoDecoder(root, params.Clips(**PLAN), params.Decode.model_validate(sizes))
    return Streamed(decoder, FlowExtractor("numba", 20))


def by_stages(source: Streamed, folder: Path, key: str) -> Published:
    """What stages `decode` and `flow` publish of one video."""
    todo = job(key)
    decode = Decode(source.decoder)
    made_from, made_by = source.decoder.fingerprint(todo.video), source.decoder.provenance()
    publish(folder / "frames", key, decode(todo), made_from, made_by)
    made = shards.opened(folder / "frames").fingerprints[key]
    flow = Flow(folder / "frames", source.flow)
    # what computed the flow is told there, and shapes no feature
    made_by = source.flow.provenance() | {"implementation": "numba"}
    publish(folder / "flow", key, flow(todo), source.flow.fingerprint(made), made_by)
    return Published(folder / "frames", folder / "flow")


@pytest.mark.parametrize("resize", ["squash", "crop"])
@pytest.mark.parametrize("count", [2, 5, 60])
def test_clips_straight_from_a_video_are_those_of_its_published_frames_and_flow(
    resize: str, count: int, tmp_path: Path
) -> None:
    write(tmp_path / "a.mp4", count, size=(96, 64))
    source = streamed(tmp_path, resize)
    published = by_stages(source, tmp_path, "a.mp4")
    one, other = source.read(job("a.mp4")), published.read(job("a.mp4"))
    assert one.rgb.shape == (6, FRAMES, SIZE, SIZE, 3)
    assert one.flow.shape == (6, FRAMES, SIZE, SIZE, 2)
    assert one.rgb.std() > 10
    assert (one.rgb == other.rgb).all()
    assert (one.flow == other.flow).all()
    assert (one.plan.frames == other.plan.frames).all()
    assert (one.n_frames, one.fps) == (other.n_frames, other.fps) == (count, 25.0)
    assert source.provenance() == published.provenance()
    assert source.fingerprints(job("a.mp4").video) == published.fingerprints(job("a.mp4").video)


def test_flow_of_a_crop_is_that_of_the_whole_frame(tmp_path: Path) -> None:
    """What enters the crop from outside is seen by the flow of the whole frame alone."""
    drawn = np.random.default_rng(0).integers(0, 256, (16, 40, 3), np.uint8)
    texture = drawn.repeat(8, axis=0).repeat(8, axis=1)
    pictures = [texture[:96, 2 * n : 2 * n + 192] for n in range(12)]
    write_pictures(tmp_path / "a.mkv", pictures, codec="ffv1", pix_fmt="bgr0")
    source = streamed(tmp_path, "crop")
    sampled = source.decoder(job("a.mkv").video)
    assert sampled.frames.shape[1:] == (37, 74, 3)
    cropped = source.flow(video.centre(sampled.frames, SIZE), sampled.numbers, [0])
    seen = source.read(job("a.mkv")).flow[0, 0]
    whole = source.flow(sampled.frames, sampled.numbers, [0])
    assert (seen[..., 0] == video.centre(whole[:, :37, :, None], SIZE)[0, ..., 0]).all()
    assert (seen[..., 0] != cropped[0, :SIZE]).any()


def test_a_video_that_cannot_be_read_is_its_own_fault(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(VideoError, match="the file is empty"):
        streamed(tmp_path, "squash").read(job("a.mp4"))


# which is which


@pytest.mark.parametrize(
    "decoder",
    [
        {"decode": params.Decode(size=48, resize="squash")},
        {"decode": params.Decode(size=SIZE, resize="crop")},
        {"clips": params.Clips(**{**PLAN, "segments": 4})},
    ],
)
def test_other_parameters_are_other_fingerprints(decoder: dict[str, Any], tmp_path: Path) -> None:
    source, listed = streamed(tmp_path, "squash"), job("a.mp4").video
    other = replace(source, decoder=replace(source.decoder, **decoder))
    pairs = zip(source.fingerprints(listed), other.fingerprints(listed), strict=True)
    assert all(one != another for one, another in pairs)
