"""A GPU that fails in the middle: what is finished is kept, and one line says what happened."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_clips import Drawn
from numpy.typing import NDArray

from pipeline import extraction, feature_batches, params, stages
from pipeline.extraction import Extractor, Pending
from pipeline.feature_batches import in_batches
from pipeline.feature_extraction import Extract
from pipeline.index import Video
from pipeline.per_video import staged
from pipeline.staging import Staging

WEIGHTS = Path(extraction.__file__).parent.parent / "models/i3d_nano"
VIDEOS = [Video(str(number), str(number), None, None, "train", sha256="") for number in range(8)]
Start = Callable[[Extractor, NDArray[np.uint8], NDArray[np.uint8]], Pending]
SAID = [
    "CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported",
    "CUDA out of memory. Tried to allocate 2.00 GiB",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Extract:
    """Three clips of a video make a batch, so that some are finished when the GPU fails."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(feature_batches, "GPU_BATCH", 3)
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", None)
    monkeypatch.delattr(main, "__file__", raising=False)
    kind = params.Features(backbone="i3d_nano", precision="float32")
    return Extract(Drawn(), "i3d_nano", WEIGHTS, kind, "cpu")


def run(work: Extract) -> dict[str, bytes]:
    with staged(
        "features", "yard", work.jobs(VIDEOS), in_batches(work, params.Engine(workers=1))
    ) as entries:
        return dict(entries)


@pytest.mark.parametrize("said", SAID)
def test_what_was_finished_is_kept_and_the_next_run_goes_on(
    said: str, work: Extract, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started, begun = list[Any](), Extractor.start

    def failing(self: Extractor, *clips: NDArray[np.uint8]) -> Pending:
        started.append(clips)
        if len(started) > 5:
            raise RuntimeError(said)
        return begun(self, *clips)

    monkeypatch.setattr(Extractor, "start", failing)

    def main() -> None:
        run(work)

    with pytest.raises(SystemExit) as ended:
        stages.run(main)
    line = said.splitlines()[0]
    assert str(ended.value).startswith(f"error: the GPU failed ({line}); ")
    assert "the next run goes on from here" in str(ended.value)
    kept = sum(Staging("features", "yard").holds(job.fingerprint) for job in work.jobs(VIDEOS))
    assert kept == 4  # and one more was on its way

    monkeypatch.setattr(Extractor, "start", begun)
    resumed = run(work)
    assert f"{8 - kept} videos to do, {kept} done before" in capsys.readouterr().out
    undisturbed = {job.video.key: replace(work)(job) for job in work.jobs(VIDEOS)}
    assert resumed == undisturbed


def test_a_fault_of_ours_is_not_laid_at_the_gpus_door() -> None:
    def main() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        stages.run(main)
