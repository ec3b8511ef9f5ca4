"""Features that were made before, here or by who pushed them: what of them still fits is kept."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline import dvc_cache, extraction, paths, store
from pipeline.errors import UserError
from pipeline.per_video import Job
from pipeline.staging import Staging


def take_over(domain: str, jobs: Sequence[Job]) -> None:
    """Fills the staging store with rows of the domain's last features, made here or pulled.

    DVC has deleted them from the workspace by now, and holds them in its cache. After
    `pipeline.staging --clear` nothing is taken over.
    """
    staging, count = Staging("features", domain), 0
    if staging.cleared:
        return
    missing = {job.fingerprint for job in jobs if not staging.holds(job.fingerprint)}
    for row in _cached_rows(paths.features(domain)) if missing else ():
        if row.fingerprint in missing:
            staging.write(row.fingerprint, extraction.entry_of(row))
            count += 1
    if count:
        print(f"features {domain}: {count} videos taken over from DVC's cache")


def _cached_rows(folder: Path) -> Iterator[store.VideoFeatures]:
    """The rows of a feature store as DVC's cache holds it; a damaged file ends in a note."""
    for path in dvc_cache.files(folder):
        try:
            yield from store.rows(path)
        except UserError as fault:
            print(f"note: {fault}")
