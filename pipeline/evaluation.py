"""What an adaptation did, as numbers: before and after, over seeds, with and without labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline import calibration, metrics

LAST_EPOCHS = 9  # averaged for EPIC-Kitchens (Munro & Damen, CVPR 2020)
Numbers = dict[str, float | int | None]


@dataclass(frozen=True)
class Predictions:
    """The logits (n, c) of one model a seed, for the same n videos."""

    logits: Mapping[int, Tensor]

    def classes(self, seed: int) -> Tensor:
        """Predicted class numbers (n,)."""
        return self.logits[seed].argmax(dim=1)

    def only(self, rows: Sequence[int]) -> "Predictions":
        """The same for some of the videos."""
        return Predictions({seed: logits[list(rows)] for seed, logits in self.logits.items()})

    def label_free(self) -> Numbers:
        """Scores that need no label, each averaged over the seeds."""
        scores = [metrics.label_free_scores(logits) for logits in self.logits.values()]
        return {name: _mean([score[name] for score in scores]) for name in scores[0]}

    def accuracies(self, labels: Tensor) -> dict[int, float]:
        """Accuracy of each seed's model; labels (n,) are class numbers."""
        return {seed: metrics.accuracy(self.classes(seed), labels) for seed in self.logits}

    def labelled(self, labels: Tensor) -> Numbers:
        """Accuracy over the seeds, its 95 % interval over videos, and what belongs to it."""
        accuracies = list(self.accuracies(labels).values())
        mean, deviation = metrics.mean_and_deviation(accuracies)
        confusions = [self.confusion(seed, labels) for seed in self.logits]
        low, high = metrics.wilson_interval(round(mean * len(labels)), len(labels))
        calibration = [
            metrics.expected_calibration_error(logits, labels) for logits in self.logits.values()
        ]
        return {
            "accuracy": mean,
            "accuracy_sd": deviation if len(accuracies) > 1 else None,
            "accuracy_low": low,
            "accuracy_high": high,
            "mean_class_accuracy": _mean([metrics.mean_class_accuracy(c) for c in confusions]),
            "calibration_error": _mean(calibration),
        }

    def calibrated(self, labels: Tensor) -> Numbers:
        """The temperature of the seeds together, and the error that it leaves on held-out halves.

        `pipeline.predict` divides logits by it.
        """
        logits = torch.stack(list(self.logits.values()))
        return {
            "temperature": calibration.fitted_temperature(logits, labels),
            "calibrated_error": calibration.held_out_error(logits, labels),
        }

    def confusion(self, seed: int, labels: Tensor) -> Tensor:
        """Counts (c, c), rows the true classes."""
        return metrics.confusion_matrix(self.classes(seed), labels, self.logits[seed].shape[1])

    def per_class(self, labels: Tensor, classes: Sequence[str]) -> dict[str, float]:
        """Accuracy of each class that has videos, averaged over the seeds."""
        rates = [metrics.per_class_accuracy(self.confusion(seed, labels)) for seed in self.logits]
        mean = torch.stack(rates).mean(dim=0).tolist()
        return {n: rate for n, rate in zip(classes, mean, strict=True) if not math.isnan(rate)}


def over_epochs(trajectory: Mapping[int, Tensor], labels: Tensor) -> Numbers:
    """Rules of reporting that look at several epochs.

    trajectory[seed]  (epochs + 1, n) predicted classes; labels  (n,).
    `last_epochs_mean` is the mean accuracy of the last nine epochs (EPIC-Kitchens' rule);
    `oracle` the best epoch chosen by these very labels: a bound, never a result.
    """
    accuracies = {
        seed: (predicted.long() == labels).double().mean(dim=1)
        for seed, predicted in trajectory.items()
    }
    return {
        "last_epochs_mean": _mean([_late(a).mean().item() for a in accuracies.values()]),
        "oracle": _mean([a.max().item() for a in accuracies.values()]),
    }


def _late(accuracies: Tensor) -> Tensor:
    """The last epochs' accuracies; row 0, the source model, only if there is nothing else."""
    return accuracies[1:][-LAST_EPOCHS:] if len(accuracies) > 1 else accuracies


def _mean(values: Sequence[float]) -> float:
    return metrics.mean_and_deviation(values)[0]
