"""STHC: predictions that last through missing clips and through time. Source-free.

Li, Patel, Kruus and Min, "Source-Free Video Domain Adaptation With Spatial-Temporal-Historical
Consistency Learning", CVPR 2023. Temporal and historical consistency, and information maximisation.

Differs: spatial consistency needs frames and is not defined on stored features. Clips are removed
instead of frames, of both modalities the same. Consistency is of predictions; the weights and the
momentum are ours, and all of the model but the classifier is trained, as with every method here.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pipeline.consistency_losses import divergences
from pipeline.features import Features
from pipeline.losses import information_maximisation
from pipeline.methods.method import Memory, Method
from pipeline.methods.pairs import Batch
from pipeline.model import Model
from pipeline.network import Output
from pipeline.runs import Tensors
from pipeline.views import fewer_clips


@dataclass(frozen=True)
class Sthc(Method):
    """The state `history` (n, c) holds each video's past predictions, averaged."""

    removed: float = 0.4
    """Share of the clips that is removed; one is always kept. Ours."""
    temporal: float = 1.0
    """Weight of temporal consistency. Ours."""
    historical: float = 1.0
    """Weight of historical consistency. Ours."""
    momentum: float = 0.9
    """Share of a video's history that is kept when the video is seen again. Ours."""

    def begin(self, predictions: Output, features: Features, weights: Tensors) -> dict[str, Any]:
        """The history begins with what the source model says."""
        return {"history": predictions.logits.softmax(dim=1)}

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """Information maximisation; consistency with fewer clips, and with the history."""
        rgb, flow = features.rgb[batch.videos], features.flow[batch.videos]
        logits = model(rgb, flow).logits
        predictions = logits.softmax(dim=1)
        model.keep(predictions=predictions)
        fewer = model(*fewer_clips(rgb, flow, self.removed, model.noise)).logits
        history = model.state["history"][batch.videos]
        return {
            "information_maximisation": information_maximisation(logits),
            "temporal_consistency": self.temporal * divergences(predictions, fewer).mean(),
            "historical_consistency": self.historical * divergences(history, logits).mean(),
        }

    def after_step(self, model: Model, batch: Batch) -> dict[str, Any]:
        """The history of the batch's videos takes in what was said of them."""
        history = model.state["history"]
        mixed = history[batch.videos].lerp(model.kept["predictions"], 1 - self.momentum)
        return {"history": history.index_copy(0, batch.videos, mixed)}
