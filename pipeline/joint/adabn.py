"""AdaBN: the source's network, its batch normalisation with the target's statistics.

Li et al., "Revisiting Batch Normalization for Practical Domain Adaptation", arXiv 1603.04779, 2016,
as Kim et al. (ICCV 2021) compare it. There, I3D is full of batch normalisations; here there is one
after each branch, and statistics are those of one pass over all training videos of the target.
In training, the source's batches are normalised by their own statistics. MM-SADA's code also lets
the target's batches pass, which changes no weight and would only fill the running average.
"""

from typing import ClassVar

from pipeline.joint.method import Domain
from pipeline.joint.supervised import SourceOnlyBatchNorm


class AdaBn(SourceOnlyBatchNorm):
    """Source only, then the target's statistics. Refused by a network without any."""

    statistics: ClassVar[Domain] = "target"
