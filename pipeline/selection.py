"""Choosing an epoch, a method or its weights without target labels.

A score says how good a model looks from its predictions of the target's training videos alone. Some
only look at the predictions; the two probes here look at what becomes of them when the videos are
changed in a way that should not matter, or should matter in a known way. A probe takes passes of
its own and is made every few epochs.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from pipeline.features import Features

Score = Literal[
    "mean_entropy",
    "marginal_entropy",
    "information_maximisation",
    "soft_neighbourhood_density",
    "clip_consistency",
    "mixup_consistency",
]
Select = Literal["last", Score]
LOWER_IS_BETTER: frozenset[Score] = frozenset(("mean_entropy", "information_maximisation"))
SCORES: tuple[Score, ...] = get_args(Score)
SHARE = 0.6  # of the first video in a mixture
PROBED_EVERY = 5  # epochs: a probe's passes cost about half of what the epoch's training does


def goodness(score: Score, value: float) -> float:
    """A score turned so that more is better."""
    return -value if score in LOWER_IS_BETTER else value


def best_epoch(rows: Sequence[Mapping[str, float]], score: Score) -> int:
    """Among the rows that have the score, the one where it is best, the first of equals."""
    scored = [number for number, row in enumerate(rows) if score in row]
    return max(scored, key=lambda number: goodness(score, rows[number][score]))


def is_probed(epoch: int, epochs: int) -> bool:
    """Whether the probes are made after an epoch: the first row, each fifth, and the last."""
    return epoch % PROBED_EVERY == 0 or epoch == epochs


def partners(count: int) -> Tensor:
    """(n,) the video that each is mixed with: the one half the domain away, mostly another class.

    Videos stand in order of their keys, so near ones are often alike.
    """
    return torch.arange(count).roll(count // 2)


def mixtures(features: Features) -> Features:
    """Each video mixed with its partner, clip by clip, the video itself with the larger share."""
    others = features.select(partners(len(features)))
    rgb, flow = (
        SHARE * own + (1 - SHARE) * other
        for own, other in ((features.rgb, others.rgb), (features.flow, others.flow))
    )
    return Features(features.keys, rgb, flow)


def halves(features: Features) -> tuple[Features, Features]:
    """The videos by their even, and by their odd clips; a video of one clip has it in both."""
    odd = 1 if features.clips > 1 else 0
    return features.of_clips(slice(0, None, 2)), features.of_clips(slice(odd, None, 2))


def clip_consistency(whole: Tensor, even: Tensor, odd: Tensor) -> float:
    """Share of half videos that are predicted as the whole one: logits (n, c) each -> [0, 1]."""
    predicted = whole.argmax(dim=1)
    same = torch.stack([half.argmax(dim=1) == predicted for half in (even, odd)])
    return same.double().mean().item()


def mixup_consistency(whole: Tensor, mixed: Tensor) -> float:
    """Share of mixtures predicted as the video of the larger share: logits (n, c) -> [0, 1].

    Only pairs of two predicted classes count; without any, the score is 0. A model that tells
    classes well apart passes; one class for everything does not. The idea is that of Hu et al.,
    "Mixed Samples as Probes for Unsupervised Model Selection in Domain Adaptation", NeurIPS 2023;
    ours has one share and one partner a video.
    """
    own = whole.argmax(dim=1)
    others = own[partners(len(own)).to(own.device)]
    differ = own != others
    right = (mixed.argmax(dim=1) == own) & differ
    return right.sum().item() / max(1, int(differ.sum()))
