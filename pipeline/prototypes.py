"""Prototypes: the videos of each class that a model is surest of, and the labels they give.

SFDA: Kim, Cho, Han, Panda and Hong, "Domain Adaptation without Source Data", IEEE Transactions on
Artificial Intelligence 2021; its "adaptive prototype memory", as in its authors' code.

Letters: n videos, c classes, d features.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.losses import entropies


def surest_videos(logits: Tensor, most: int) -> list[Tensor]:
    r"""The prototypes of each class: videos predicted as it, with an entropy of eta at most.

    .. math:: \eta = \max_k \min_{i: \hat y_i = k} H(p_i)

    so that each class that is predicted at all has a prototype. One that nobody is predicted as
    has the video of the highest probability for it.

    Args: logits (n, c), finite; most, the prototypes of a class at most, at least 1.
    Returns: of each class, positions of 1 to `most` videos, lowest entropy first.
    """
    uncertainty, predicted = entropies(logits), logits.argmax(dim=1)
    order = uncertainty.argsort(stable=True)
    members = [order[predicted[order] == number] for number in range(logits.shape[1])]
    eta = torch.stack([uncertainty[videos[0]] for videos in members if len(videos)]).max()
    likeliest = logits.log_softmax(dim=1).argmax(dim=0)  # (c,)
    return [
        videos[uncertainty[videos] <= eta][:most] if len(videos) else likeliest[number, None]
        for number, videos in enumerate(members)
    ]


def prototype_labels(features: Tensor, prototypes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    r"""Labels each video with the class whose prototypes are most like it on average.

    A label is accepted if every prototype of its class is more like the video than any of the
    class in second place: of the cosines, min over the best class > max over the second.

    Args: features (n, d); prototypes, positions in [0, n) of each of c >= 2 classes, none empty.
    Returns: labels (n,), integers in [0, c), and (n,) booleans: the label is accepted.
    """
    directions = F.normalize(features, dim=1)
    cosines = [directions @ directions[videos].T for videos in prototypes]
    means = torch.stack([values.mean(dim=1) for values in cosines], dim=1)  # (n, c)
    lowest = torch.stack([values.amin(dim=1) for values in cosines], dim=1)
    highest = torch.stack([values.amax(dim=1) for values in cosines], dim=1)
    ranked = means.argsort(dim=1, descending=True, stable=True)
    best, second = ranked[:, :1], ranked[:, 1:2]
    accepted = lowest.gather(1, best) > highest.gather(1, second)
    return best[:, 0], accepted[:, 0]
