"""Maximum mean discrepancy of each modality's features. Sees the source with its labels.

Long et al., "Learning Transferable Features with Deep Adaptation Networks", ICML 2015, in the form
in which MM-SADA's code compares it, where cross-entropy and discrepancy have the same weight.
"""

from torch import Tensor

from pipeline.joint.batches import JointBatch
from pipeline.joint.discrepancy import maximum_mean_discrepancy
from pipeline.joint.late_fusion import LateOutput
from pipeline.joint.method import JointData, JointMethod
from pipeline.model import Model


class Mmd(JointMethod):
    """lambda * (discrepancy of the RGB features + discrepancy of the flow features)."""

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: LateOutput
    ) -> dict[str, Tensor]:
        """A term a modality."""
        target = self.see(model, data.target, batch.target)
        return {
            "rgb_discrepancy": maximum_mean_discrepancy(source.rgb, target.rgb),
            "flow_discrepancy": maximum_mean_discrepancy(source.flow, target.flow),
        }
