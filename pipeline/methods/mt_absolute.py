"""MT-Absolute, MTRAN's variant with an absolute target. Source-free.

"Relative Alignment Network for Source-Free Multimodal Video Domain Adaptation", ACM MM 2022,
ablations: a mixed video is moved all the way to the surer video of its pair (mu = 1), not to the
mixture of both. All else is MTRAN's, the mixed clips too; the target is a constant as there.
"""

import torch
from torch import Tensor

from pipeline.methods.mtran import Mtran


class MtAbsolute(Mtran):
    """MTRAN with mu = 1, whatever tau."""

    def shares(self, draws: Tensor) -> tuple[Tensor, Tensor]:
        """MTRAN's lambda, and ones."""
        return super().shares(draws)[0], torch.ones_like(draws)
