"""How far apart are two domains of features, by a linear probe, before any network is trained?

    python -m benchmarks.probe SOURCE.npz TARGET.npz

A logistic regression on the mean over the clips, RGB and flow side by side, each number
standardised by the source's training videos. It learns from the source's training videos and is
tested on the source's test videos and on the target's; the bound learns from the target's training
videos. Files as `dataset: imported` reads them, with label and split; classes of both are used.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline import feature_files, npz
from pipeline.errors import UserError

STRENGTH = 0.01  # inverse weight of the squared norm: few videos, many features


@dataclass(frozen=True, eq=False)
class Domain:
    """Videos of a domain: means (n, 2 d), label (n,), train (n,)."""

    means: NDArray[np.float32]
    label: NDArray[np.str_]
    train: NDArray[np.bool_]

    def part(self, train: bool) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
        """Means and labels of the training or of the test videos."""
        chosen = self.train == train
        return self.means[chosen], self.label[chosen]

    def of(self, classes: NDArray[np.str_]) -> "Domain":
        """The videos of these classes."""
        chosen = np.isin(self.label, classes)
        return Domain(self.means[chosen], self.label[chosen], self.train[chosen])


def read(path: Path) -> Domain:
    """Reads a file. Raises UserError: it is faulty, or has no label or split."""
    file = feature_files.read(path)
    named = npz.read(path, ("label", "split"))
    if len(named) < 2:
        raise UserError(f"{path}: the probe needs the arrays label and split; add them")
    means = np.concatenate([file.rgb.mean((1, 2)), file.flow.mean((1, 2))], 1)
    return Domain(means, named["label"], named["split"] == "train")


def accuracies(source: Domain, target: Domain) -> dict[str, float]:
    """Share of test videos that are right: source on itself, source on target, target on itself."""
    classes = np.intersect1d(source.label, target.label)
    source, target = source.of(classes), target.of(classes)
    ours, bound = (
        make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=2000)).fit(
            *domain.part(train=True)
        )
        for domain in (source, target)
    )
    return {
        "source on itself": ours.score(*source.part(train=False)),
        "source on target": ours.score(*target.part(train=False)),
        "source on all of target": ours.score(target.means, target.label),
        "target on itself": bound.score(*target.part(train=False)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    try:
        found = accuracies(read(options.source), read(options.target))
    except UserError as fault:
        sys.exit(str(fault))
    for name, share in found.items():
        print(f"{name:<24} {share:6.1%}")


if __name__ == "__main__":
    main()
