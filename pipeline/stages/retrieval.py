"""Stage `retrieval`: the target's test videos beside the source's training videos.

Reads   models/source, models/adapted, data/features and data/index/{videos,labels}.csv of both
        domains, params retrieval
Writes  results/retrieval.csv (the source videos nearest to each target video, first seed),
        results/domains.csv (t-SNE points of both domains, first seed), results/retrieval.json
        (share of the nearest that show the same class, mean over the seeds)

Nothing is adapted here, so it may look at the source. Where its model alone is at hand, received or
without the features, the tables are empty.
"""

import copy
import json
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from pipeline import (
    atomic,
    both_domains,
    checkpoints,
    index,
    params,
    paths,
    prediction,
    stages,
    store,
    tables,
)
from pipeline.both_domains import Side
from pipeline.features import Features
from pipeline.labelling import of_split
from pipeline.network import RelationNetwork
from pipeline.one_at_a_time import alone
from pipeline.retrieval import Nearest, nearest

FOUND = ["model", "key", "rank", "label", "nearest", "nearest_label", "similarity"]
POINTS = ["model", "domain", "key", "label", "x", "y"]


def labels_of(domain: str, classes: Collection[str]) -> dict[str, str]:
    """The domain's labels that are classes of the task, by key."""
    labels = index.read_labels(paths.labels(domain))
    return {key: label for key, label in labels.items() if label in classes}


def of_source(model: RelationNetwork) -> RelationNetwork:
    """The model for clips of the source, whatever it does to the clips of others."""
    taken = copy.deepcopy(model)
    taken.inputs.release()
    return taken


class Known(NamedTuple):
    """Features of some videos of a domain, and their labels by key."""

    features: Features
    labels: Mapping[str, str]

    def seen(self, model: RelationNetwork) -> Side:
        """The videos as a model sees them."""
        fused = prediction.predict(model, self.features).fused
        return Side(self.features.keys, fused, self.labels)


def looked(
    models: Mapping[int, RelationNetwork], target: Known, source: Known, most: int
) -> list[tuple[Side, Side, Nearest]]:
    """With each model: the target, the source, and what is found of the source."""
    sides = [(target.seen(model), source.seen(of_source(model))) for model in models.values()]
    return [(ours, theirs, nearest(ours.fused, theirs.fused, most)) for ours, theirs in sides]


def mean(shares: Sequence[float | None]) -> float | None:
    """The mean of those that are known."""
    known = [share for share in shares if share is not None]
    return fmean(known) if known else None


def write(
    shares: Mapping[str, float | None], found: Sequence[tables.Row], points: Sequence[tables.Row]
) -> None:
    """Writes all that the stage leaves."""
    tables.write(paths.RESULTS / "retrieval.csv", found, FOUND)
    tables.write(paths.RESULTS / "domains.csv", points, POINTS)
    metrics = {"nearest_same_class": shares}
    atomic.write_file(paths.RESULTS / "retrieval.json", json.dumps(metrics, indent=2) + "\n")


@alone(paths.lock("retrieval"), "retrieval")
def main() -> None:
    """Runs the stage."""
    p = params.load()
    source, target = p.task.source, p.task.target
    here = paths.features(source).exists()
    listed = index.read_videos(paths.videos(source)) if here else []
    if not here or index.is_model(listed):
        print(f"retrieval: none, of {source} only the model is here")
        write({}, [], [])
        return
    card, before = checkpoints.load(paths.SOURCE_MODEL)
    _, after = checkpoints.load(paths.ADAPTED_MODEL)
    known, labels = (labels_of(domain, card.classes) for domain in (source, target))
    train = [video.key for video in of_split(listed, "train") if video.key in known]
    test = [video.key for video in of_split(index.read_videos(paths.videos(target)), "test")]
    theirs = Known(store.load(paths.features(source)).of(train), known)
    ours = Known(store.load(paths.features(target)).of(test), labels)

    shares, found, points = dict[str, float | None](), list[tables.Row](), list[tables.Row]()
    for name, models in (("source_only", before), ("adapted", after)):
        all_seeds = looked(models, ours, theirs, p.retrieval.nearest)
        shares[name] = mean([both_domains.same_class(*one) for one in all_seeds])
        queries, gallery, what = all_seeds[0]
        found += both_domains.found(name, queries, gallery, what)
        sides = {source: gallery, target: queries}
        points += both_domains.points(name, sides, p.retrieval.embedding)
    write(shares, found, points)


if __name__ == "__main__":
    stages.run(main)
