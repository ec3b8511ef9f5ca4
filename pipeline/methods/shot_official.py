"""SHOT with the settings and batches of its own code. Source-free.

Liang, Hu and Feng, "Do We Really Need to Access the Source Data? Source Hypothesis Transfer for
Unsupervised Domain Adaptation", ICML 2020. Against `shot`, which is SHOT as MTRAN compares it: the
pseudo-labels weigh 0.3 whatever `lambda1`, batches are drawn without halves, and the descent has
SHOT's weight decay, Nesterov momentum and falling learning rate.

Not SHOT's: the network, which has neither its bottleneck's batch normalisation nor its classifier's
weight normalisation; epochs, lr and batch size, which are params.yaml's (SHOT: 15, 0.01, 64). Its
source model is trained with label smoothing 0.1: `pretrain.label_smoothing`.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from pipeline.descent import Settings
from pipeline.features import Features
from pipeline.methods.method import Memory
from pipeline.methods.pairs import Batch
from pipeline.methods.shot import clustering
from pipeline.methods.unpaired import Unpaired
from pipeline.model import Model


@dataclass(frozen=True)
class ShotOfficial(Unpaired):
    """Uses none of the weights."""

    beta: float = 0.3
    """Weight of the pseudo-labels (the paper's, and its code's `cls_par`)."""
    weight_decay: float = 1e-3
    """Of the descent (SHOT's code)."""

    def settings(self, settings: Settings) -> Settings:
        """SHOT's descent."""
        return replace(settings, weight_decay=self.weight_decay, nesterov=True, schedule="decay")

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """Information maximisation and pseudo-labels."""
        videos = batch.videos
        real = model(features.rgb[videos], features.flow[videos])
        return clustering(real.logits, memory.pseudo_labels[videos], self.beta)
