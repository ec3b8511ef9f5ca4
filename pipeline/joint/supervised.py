"""Training on labelled videos alone: the source's, a lower bound; the target's, an upper one."""

from typing import ClassVar

from torch import Tensor

from pipeline.joint.batches import JointBatch
from pipeline.joint.late_fusion import LateOutput
from pipeline.joint.method import Domain, JointData, JointMethod
from pipeline.model import Model


class SourceOnlyLate(JointMethod):
    """The source's cross-entropy: what every other method of joint training adds its terms to."""

    sees_target: ClassVar[bool] = False

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: LateOutput
    ) -> dict[str, Tensor]:
        """None."""
        return {}


class SourceOnlyBatchNorm(SourceOnlyLate):
    """The same with batch normalisation and the source's statistics: what AdaBN must beat."""

    batch_norm: ClassVar[bool] = True


class TargetSupervised(SourceOnlyLate):
    """The same on the target's labelled training videos: what adaptation can hope for."""

    statistics: ClassVar[Domain] = "target"
    learns_from: ClassVar[Domain] = "target"
