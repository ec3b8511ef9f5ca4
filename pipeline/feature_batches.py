"""Features in batches across videos, on GPUs; where there are none, video by video."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline import engine, extraction, params, per_video, ray_engine
from pipeline.feature_extraction import Extract
from pipeline.staging import Staging

GPU_BATCH = 64  # clips


def filled(work: Extract, section: params.Engine) -> per_video.Fill:
    """How the staging store is filled: on GPUs if there are any, here or on a cluster."""
    if section.kind == "ray":
        on_gpus = stream(replace(work, device="cuda"), section.video_timeout)
        on_cpus = replace(work, device="cpu")
        return per_video.by_cluster(on_cpus, section, on_gpus)
    fill = in_batches if work.device == "cuda" else per_video.by_engine
    return fill(work, section)


def in_batches(work: Extract, section: params.Engine) -> per_video.Fill:
    """Clips are read by processes, and their features computed in batches across videos."""

    def fill(
        staging: Staging, todo: Sequence[per_video.Job]
    ) -> Sequence[engine.Failure[per_video.Job]]:
        failures = list[engine.Failure[per_video.Job]]()
        label = f"{staging.stage} {staging.domain}"
        workers, timeout = section.workers, section.video_timeout
        read = engine.results(
            work.source.read, todo, failures, label=label, workers=workers, timeout=timeout
        )
        for job, content in extraction.extract_many(work.extractor(), read, GPU_BATCH):
            staging.write(job.fingerprint, content)
        return failures

    return fill


def stream(work: Extract, timeout: float | None) -> ray_engine.Stream[per_video.Job, bytes]:
    """As `in_batches`, of a cluster: clips are read by its cores, beside each of its GPUs.

    A video that takes longer than `timeout` seconds to read fails (None: no limit).
    """

    def extract_all(
        todo: Sequence[per_video.Job], ahead: int
    ) -> Iterator[tuple[per_video.Job, bytes | engine.Reason]]:
        failures = list[engine.Failure[per_video.Job]]()
        found = ray_engine.outcomes(work.source.read, todo, ahead, timeout)
        read = ray_engine.told_apart(found, failures)
        yield from extraction.extract_many(work.extractor(), read, GPU_BATCH)
        yield from ((failure.item, engine.Reason(failure.reason)) for failure in failures)

    return extract_all
