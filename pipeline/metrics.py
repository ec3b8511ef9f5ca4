"""Scores of predictions: with labels (accuracies, calibration) and without (for choosing a model).

Letters: n videos, c classes. Predictions and labels are integers in [0, c).
"""

import math
import statistics
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.losses import entropies, information_maximisation, marginal_entropy

NORMAL_95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution
ROWS_AT_ONCE = 1024  # of a similarity matrix (n, n): bounds memory for large n


def _require_labels(predicted: Tensor, labels: Tensor) -> None:
    if len(predicted) == 0 or len(predicted) != len(labels):
        raise ValueError(
            f"predictions and labels must be equally many and at least 1; "
            f"found {len(predicted)} and {len(labels)}"
        )


def accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Share of videos predicted right, in [0, 1].

    Args: predicted (n,) and labels (n,), integers.
    Raises: ValueError if they are not equally many, or none.
    """
    _require_labels(predicted, labels)
    return (predicted == labels).double().mean().item()


def confusion_matrix(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Counts (c, c), integers: row = true class, column = predicted class.

    Args: predicted (n,) and labels (n,), integers in [0, classes).
    Raises: ValueError if they are not equally many, none, or out of range.
    """
    _require_labels(predicted, labels)
    for name, values in (("predictions", predicted), ("labels", labels)):
        if values.min() < 0 or values.max() >= classes:
            raise ValueError(
                f"{name} must lie in [0, {classes}); "
                f"found {values.min().item()} to {values.max().item()}"
            )
    cells = torch.bincount(labels * classes + predicted, minlength=classes**2)
    return cells.view(classes, classes)


def per_class_accuracy(confusion: Tensor) -> Tensor:
    """Share of each class's videos predicted right (recall): (c, c) counts -> (c,) float64.

    NaN for a class without a video.
    """
    return confusion.diagonal().double() / confusion.sum(dim=1).double()


def mean_class_accuracy(confusion: Tensor) -> float:
    """Mean of `per_class_accuracy` over the classes that have videos: (c, c) counts -> [0, 1]."""
    return per_class_accuracy(confusion).nanmean().item()


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """95 % interval of an accuracy `correct / total` (Wilson 1927), within [0, 1].

    It speaks of which videos were drawn, not of seeds: see `mean_and_deviation` for those.

    Raises: ValueError unless 0 <= correct <= total and total >= 1.
    """
    if not 0 <= correct <= total or total < 1:
        raise ValueError(f"expected 0 <= correct <= total and total >= 1: {correct} of {total}")
    z2 = NORMAL_95**2
    centre = (correct + z2 / 2) / (total + z2)
    spread = math.sqrt(z2 * (correct * (total - correct) / total + z2 / 4)) / (total + z2)
    return max(0.0, centre - spread), min(1.0, centre + spread)


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1) over seeds; NaN deviation for a single value."""
    deviation = statistics.stdev(values) if len(values) > 1 else math.nan
    return statistics.fmean(values), deviation


def soft_neighbourhood_density(logits: Tensor, temperature: float = 0.05) -> float:
    r"""How many neighbours each prediction has: the mean entropy of softened similarities.

    .. math:: \frac1n \sum_i H(q_i), \quad q_{ij} \propto \exp(\cos(p_i, p_j) / t), \; j \neq i

    Saito et al., "Tune it the Right Way: Unsupervised Validation of Domain Adaptation via Soft
    Neighborhood Density", ICCV 2021, eq. 2 and 3. Higher is better, but a model that predicts one
    class for everything reaches the top too: read it beside the marginal entropy.

    Args: logits (n, c), at least two rows; temperature t above 0, the paper's by default.
    Returns: in [0, log(n - 1)].
    Raises: ValueError for fewer than two rows.
    """
    n = len(logits)
    if n < 2:
        raise ValueError(f"neighbourhoods need at least 2 predictions; found {n}")
    directions = F.normalize(logits.softmax(dim=1), dim=1)
    total = 0.0
    for start in range(0, n, ROWS_AT_ONCE):
        similarity = directions[start : start + ROWS_AT_ONCE] @ directions.T / temperature
        rows = torch.arange(len(similarity), device=logits.device)
        others = torch.ones_like(similarity, dtype=torch.bool)
        others[rows, rows + start] = False
        total += entropies(similarity[others].view(len(rows), n - 1)).sum().item()
    return total / n


def label_free_scores(logits: Tensor) -> dict[str, float]:
    """What predictions tell without labels; each by name, in nats where it is an entropy.

    `mean_entropy` (lower is surer), `marginal_entropy` (higher is more even),
    `information_maximisation` (their difference, lower is better), `soft_neighbourhood_density`
    (higher is better), `predicted_classes` (how many classes somebody is predicted as).

    Args: logits (n, c), at least one row; of a single one, the density is 0, that of two.
    """
    dense = soft_neighbourhood_density(logits) if len(logits) > 1 else 0.0
    return {
        "mean_entropy": entropies(logits).mean().item(),
        "marginal_entropy": marginal_entropy(logits).item(),
        "information_maximisation": information_maximisation(logits).item(),
        "soft_neighbourhood_density": dense,
        "predicted_classes": len(logits.argmax(dim=1).unique()),
    }


def expected_calibration_error(logits: Tensor, labels: Tensor, bins: int = 15) -> float:
    r"""How far confidence is from accuracy, in bins of equal width.

    .. math:: \sum_b \frac{n_b}{n} |acc_b - conf_b|

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, eq. 3; confidence is the
    largest probability, a bin holds its upper edge.

    Args: logits (n, c), labels (n,) integers, bins at least 1.
    Returns: in [0, 1]; 0 is calibrated.
    Raises: ValueError if logits and labels are not equally many, or none.
    """
    _require_labels(logits, labels)
    confidence, predicted = logits.double().softmax(dim=1).max(dim=1)
    gap = (predicted == labels).double() - confidence  # its sum over a bin: n_b (acc_b - conf_b)
    cell = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    sums = torch.zeros(bins, dtype=torch.float64, device=logits.device).index_add(0, cell, gap)
    return sums.abs().sum().item() / len(labels)
