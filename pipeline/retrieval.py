"""Cross-domain retrieval: the source videos that lie nearest to a target video, as a model sees it.

Kim et al., "Learning Cross-modal Contrastive Features for Video Domain Adaptation", ICCV 2021,
figure 6, shows it: where the domains are aligned, the nearest videos show the same action.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class Nearest(NamedTuple):
    """What lies nearest to each of n queries, the nearest first."""

    positions: Tensor
    """(n, k) int64, rows of the gallery."""
    similarities: Tensor
    """(n, k), cosines in [-1, 1]; 0 beside features that are all 0."""


def nearest(queries: Tensor, gallery: Tensor, most: int) -> Nearest:
    """The k = min(most, m) rows of the gallery (m, d) most like each of the queries (n, d).

    Of equally similar ones, the first in the gallery stands first.
    """
    cosines = F.normalize(queries.double()) @ F.normalize(gallery.double()).T  # (n, m)
    # to 1e-9, as equal features may differ in the last bits
    order = cosines.round(decimals=9).argsort(dim=1, descending=True, stable=True)
    positions = order[:, : min(most, len(gallery))]
    return Nearest(positions, cosines.gather(1, positions).float())
