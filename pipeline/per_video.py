"""What decode, flow and features share: do what is missing for each video, tell what failed."""

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline import engine, params, parts, ray_engine, shards
from pipeline.errors import UserError
from pipeline.index import Video, all_imported, is_model
from pipeline.staging import Staging

R = TypeVar("R")


@dataclass(frozen=True)
class Job:
    """A video, and the fingerprint of what is to be computed for it."""

    video: Video
    fingerprint: str


@dataclass(frozen=True)
class _Stored:
    """Work on a job whose result goes straight into the staging store."""

    compute: Callable[[Job], bytes]
    staging: Staging

    def __call__(self, job: Job) -> None:
        self.staging.write(job.fingerprint, self.compute(job))


@dataclass(frozen=True, eq=False)
class _Parsed(Mapping[str, R]):
    """Results, each read and parsed when it is asked for, so that all need not fit into memory."""

    entries: "Entries"
    parse: Callable[[str, bytes], R]

    def __getitem__(self, key: str) -> R:
        return self.parse(self.entries.fingerprints[key], self.entries[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, eq=False)
class Entries(Mapping[str, bytes]):
    """The finished work of a stage for a domain: a video's key -> its result, read when asked for.

    Raises UserError, when asked, for a result that was damaged since.
    """

    staging: Staging
    fingerprints: Mapping[str, str]

    def by_key(self, parse: Callable[[str, bytes], R]) -> Mapping[str, R]:
        """Results by their videos' keys; `parse` gets fingerprint and content."""
        return _Parsed(self, parse)

    def __getitem__(self, key: str) -> bytes:
        return self.staging.read(self.fingerprints[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.fingerprints)

    def __len__(self) -> int:
        return len(self.fingerprints)

    def publish(
        self, folder: Path, provenance: Mapping[str, Any], suffix: str = shards.MATROSKA
    ) -> None:
        """Writes the results as shards."""
        shards.publish(
            folder,
            self,
            fingerprints=self.fingerprints,
            sizes={key: self.staging.size(made) for key, made in self.fingerprints.items()},
            provenance=provenance,
            suffix=suffix,
        )


def why_idle(videos: Sequence[Video], *, stream: bool) -> str | None:
    """Why stages `decode` and `flow` have nothing to do for these videos, or None."""
    if is_model(videos):
        return "the domain is a model that was received"
    if all_imported(videos):
        return "the domain's features are imported"
    return "features.stream: features come straight from the videos" if stream else None


def publish_nothing(
    stage: str, domain: str, folder: Path, why: str, part: str | None = None
) -> None:
    """Writes a shard without videos. The staging store keeps what it has for other runs."""
    if not part:
        shards.publish(folder, {}, fingerprints={}, sizes={}, provenance={})
    print(f"{stage} {domain}: nothing to do, {why}")


Fill = Callable[[Staging, Sequence[Job]], Sequence[engine.Failure[Job]]]


def by_processes(
    compute: Callable[[Job], bytes], workers: int | None, timeout: float | None = None
) -> Fill:
    """`compute` runs in several processes, a video each, for `timeout` seconds at most."""

    def fill(staging: Staging, todo: Sequence[Job]) -> Sequence[engine.Failure[Job]]:
        label = f"{staging.stage} {staging.domain}"
        stored = _Stored(compute, staging)
        return engine.run(stored, todo, label=label, workers=workers, timeout=timeout)

    return fill


def by_cluster(
    compute: Callable[[Job], bytes],
    section: params.Engine,
    stream: ray_engine.Stream[Job, bytes] | None = None,
) -> Fill:
    """`compute` runs on a Ray cluster, a video a task; where there are GPUs, `stream` if given."""

    def fill(staging: Staging, todo: Sequence[Job]) -> Sequence[engine.Failure[Job]]:
        failures = list[engine.Failure[Job]]()
        label = f"{staging.stage} {staging.domain}"
        if not todo:
            return failures
        workers, timeout = section.workers, section.video_timeout
        with ray_engine.connected(section.address):
            if stream and ray_engine.gpus():
                done = ray_engine.streamed(stream, todo, failures, label=label, workers=workers)
            else:
                done = ray_engine.results(
                    compute, todo, failures, label=label, workers=workers, timeout=timeout
                )
            for job, content in done:
                staging.write(job.fingerprint, content)
        return failures

    return fill


def by_engine(compute: Callable[[Job], bytes], section: params.Engine) -> Fill:
    """`compute` runs where `engine` of params.yaml says."""
    if section.kind == "ray":
        return by_cluster(compute, section)
    return by_processes(compute, section.workers, section.video_timeout)


@contextmanager
def staged(stage: str, domain: str, jobs: Sequence[Job], fill: Fill) -> Iterator[Entries]:
    """Does the jobs that have no entry in the staging store, then lends all entries to publish.

    Raises UserError with a table of the videos that cannot be used, after all others are done.
    """
    if not jobs:
        raise UserError(
            f"{stage} {domain}: the domain's index lists no video; see data/raw/{domain}"
        )
    staging = Staging(stage, domain)
    with staging.lock():
        _do(staging, jobs, fill)
        yield Entries(staging, {job.video.key: job.fingerprint for job in jobs})
        staging.prune({job.fingerprint for job in jobs})


def do_part(stage: str, domain: str, jobs: Sequence[Job], fill: Fill, part: str) -> None:
    """Does the jobs of part NUMBER/COUNT that are missing; a run without parts publishes them all.

    Raises UserError if that is no part, and as `staged`.
    """
    staging, wanted = Staging(stage, domain), parts.parsed(part)
    print(f"{stage} {domain}: part {part} of {len(jobs)} videos; nothing is published")
    with staging.lock(f".{wanted.number}-{wanted.count}"):
        _do(staging, [job for job in jobs if wanted.holds(job.video.key)], fill)


def _do(staging: Staging, jobs: Sequence[Job], fill: Fill) -> None:
    todo = [job for job in jobs if not staging.holds(job.fingerprint)]
    done = len(jobs) - len(todo)
    print(f"{staging.stage} {staging.domain}: {len(todo)} videos to do, {done} done before")
    failures = fill(staging, todo)
    if failures:
        reasons = {failure.item.video.key: failure.reason for failure in failures}
        raise UserError(_table(staging, reasons, len(jobs)))


def _table(staging: Staging, reasons: dict[str, str], total: int) -> str:
    """What is wrong with each video, and the lines of params.yaml that leave them out."""
    width = min(60, max(len(key) for key in reasons))
    rows = []
    for key, reason in sorted(reasons.items()):
        first, *more = textwrap.wrap(reason, 76)
        rows += [f"  {key:<{width}}  {first}", *(f"  {'':<{width}}  {line}" for line in more)]
    skip = [f"        {_quoted(key)}: {_quoted(reason)}" for key, reason in sorted(reasons.items())]
    return "\n".join(
        [
            f"{staging.stage} {staging.domain}: {len(reasons)} of {total} videos cannot be used; "
            f"the other {total - len(reasons)} are done and kept.",
            *rows,
            "Replace these files, or leave them out in params.yaml:",
            "  domains:",
            f"    {staging.domain}:",
            "      skip:",
            *skip,
        ]
    )


def _quoted(text: str) -> str:
    """A YAML string in double quotes, on one line."""
    return json.dumps(text, ensure_ascii=False)
