"""HCL: what the network learns agrees with what earlier networks said and saw. Source-free.

Huang, Guan, Xiao and Lu, "Model Adaptation: Historical Contrastive Learning for Unsupervised Domain
Adaptation without Source Data", NeurIPS 2021. A historical network, the teacher, is an exponential
moving average that starts as the source model. Instances: a video seen anew is nearer to the
teacher's features of it than to those of others. Categories: pseudo-labels, which count less where
network and teacher differ. Both weigh 1. The public code is for segmentation; ours differs:

- Views are made of stored features: dropout, a clip left out, noise. The paper augments images.
- Keys come from the batch and from a queue of earlier batches. A small target's own videos come
  back into the queue: they are further keys of the same video, never something to be unlike.
- Pseudo-labels are the network's own, as in the paper, made anew every epoch; all count by their
  agreement, where the paper first leaves out, class by class, those that the network is unsure of.
  (The slow teacher's own labels were tried: its faults stayed for good.)
- The code's teacher becomes the network again every 300 steps; ours is never set anew.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.features import Features
from pipeline.losses import entropy_split
from pipeline.methods.method import Memory, Method
from pipeline.methods.pairs import Batch
from pipeline.model import Model, State
from pipeline.network import Output
from pipeline.runs import Tensors
from pipeline.views import deviations, jittered
from pipeline.weighted_losses import (
    agreement,
    reliabilities,
    reliable_contrast,
    weighted_cross_entropy,
)


class Keys(NamedTuple):
    """What the teacher saw of m videos."""

    features: Tensor
    """(m, d), fused, of length 1."""
    reliabilities: Tensor
    """(m,); 0: there is no such key yet."""
    videos: Tensor
    """(m,), their positions."""

    def before(self, others: "Keys") -> "Keys":
        """These keys, then the others."""
        return Keys(*(torch.cat(parts) for parts in zip(self, others, strict=True)))


@dataclass(frozen=True)
class Hcl(Method):
    """Instance contrast + category labels, both with the teacher; it uses none of the weights."""

    temperature: float = 0.07
    """Of the contrast (the authors' code)."""
    momentum: float = 0.996
    """Share of the teacher that a step leaves (the authors' code)."""
    queue: int = 1024
    """Keys of earlier batches."""
    noise: float = 0.05
    """Of a view, in standard deviations of each feature over the target's clips."""

    def begin(self, predictions: Output, features: Features, weights: Tensors) -> dict[str, Any]:
        """The teacher is the source model; the queue is empty; how much noise a view gets."""
        both = {"rgb": features.rgb, "flow": features.flow}
        spreads = {name: self.noise * deviations(clips) for name, clips in both.items()}
        absent = predictions.fused.new_zeros(self.queue)
        unseen = predictions.fused.new_zeros(self.queue, predictions.fused.shape[1])
        nothing = Keys(unseen, absent, absent.long())
        return {"teacher": weights, "queue": nothing, "spreads": spreads}

    def remember(self, predictions: Output, state: State) -> Memory:
        """The network's own labels."""
        logits = predictions.logits
        return Memory(logits.argmax(dim=1), *entropy_split(logits))

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """The network sees a view, the teacher the videos as they are."""
        videos, state = batch.videos, model.state
        rgb, flow = features.rgb[videos], features.flow[videos]
        taught = model.still(rgb, flow, state["teacher"])
        seen = model(*jittered(rgb, flow, state["spreads"], model.noise))
        new = Keys(F.normalize(taught.fused, dim=1), reliabilities(taught.logits), videos)
        model.keep(**new._asdict())
        keys = new.before(state["queue"])
        queries, own = F.normalize(seen.fused, dim=1), videos[:, None] == keys.videos
        labels, trust = memory.pseudo_labels[videos], agreement(seen.logits, taught.logits)
        return {
            "instance_contrast": reliable_contrast(
                queries, keys.features, keys.reliabilities, own, self.temperature
            ),
            "historical_label": weighted_cross_entropy(seen.logits, labels, trust),
        }

    def after_step(self, model: Model, batch: Batch) -> dict[str, Any]:
        """The teacher follows, and the queue takes in the batch and gives up its oldest keys."""
        old, kept = self.momentum, Keys(*(model.kept[name] for name in Keys._fields))
        teacher = {
            name: weight.lerp(model.weights[name], 1 - old)
            for name, weight in model.state["teacher"].items()
        }
        queue = Keys(*(part[: self.queue] for part in kept.before(model.state["queue"])))
        return {**model.state, "teacher": teacher, "queue": queue}
