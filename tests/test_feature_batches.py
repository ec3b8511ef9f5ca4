"""Features: what a video's features are made from, one by one and in batches."""

from pathlib import Path

import numpy as np
import pytest
from drawn_clips import Drawn

from pipeline import extraction, params, per_video
from pipeline.feature_batches import in_batches
from pipeline.feature_extraction import Extract
from pipeline.index import Video
from pipeline.staging import Staging

WEIGHTS = Path(extraction.__file__).parent.parent / "models/i3d_nano"


def extract(*, stream: bool = False) -> Extract:
    features = params.Features(backbone="i3d_nano", precision="float32", stream=stream)
    return Extract(Drawn(), "i3d_nano", WEIGHTS, features, "cpu")


def listed(*keys: str) -> list[Video]:
    return [Video(key, key, None, None, "train", sha256="") for key in keys]


def test_streaming_is_no_part_of_what_features_are_made_from() -> None:
    videos = listed("1", "2")
    assert extract(stream=True).jobs(videos) == extract().jobs(videos)
    assert extract(stream=True).provenance() == extract().provenance()


def test_what_frames_and_flow_are_made_from_is_part_of_it() -> None:
    one, other = extract().jobs(listed("1", "2"))
    assert one.fingerprint != other.fingerprint


def test_batches_across_videos_leave_out_the_bad_ones_and_do_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    work, staging = extract(), Staging("features", "mine")
    todo = work.jobs(listed("1", "bad", "3"))
    failures = in_batches(work, params.Engine(workers=2))(staging, todo)
    assert [(failure.item.video.key, failure.reason) for failure in failures] == [
        ("bad", "bad is cut off")
    ]
    for job in (todo[0], todo[2]):
        batched = read(job, staging.read(job.fingerprint))
        alone = read(job, work(job))
        assert batched.n_frames == alone.n_frames == 50 + int(job.video.key)
        for one, other in ((batched.rgb, alone.rgb), (batched.flow, alone.flow)):
            assert np.linalg.norm(one - other) < 1e-5 * np.linalg.norm(one)


def read(job: per_video.Job, content: bytes) -> extraction.VideoFeatures:
    return extraction.read_entry(job.fingerprint, content)
