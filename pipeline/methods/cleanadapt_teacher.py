"""CleanAdapt + TS: a slow teacher labels anew every epoch, and is the result. Source-free.

Dasgupta et al., "Source-free Video Domain Adaptation by Learning from Noisy Labels", Pattern
Recognition 2025, and its code. The student learns from strongly augmented videos; the teacher, an
average of the students so far, labels them as they are. A video is learnt from if the teacher still
finds its label of the epoch before credible, compared among the videos of the same new label.

What differs, beside what `cleanadapt` says: the original augments frames, we stored features, by
clips that are dropped and by noise.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pipeline.features import Features
from pipeline.methods.cleanadapt import CleanAdapt
from pipeline.methods.method import Memory
from pipeline.methods.pairs import Batch
from pipeline.model import Model, State
from pipeline.network import Output
from pipeline.noisy_label_losses import kept_cross_entropy
from pipeline.runs import Tensors
from pipeline.views import deviations, fewer_clips, noisy


@dataclass(frozen=True)
class CleanAdaptTeacher(CleanAdapt):
    """Uses none of the weights."""

    momentum: float = 0.99
    """Share of the teacher that a step leaves as it is, in [0, 1) (its code's)."""
    dropped: float = 0.3
    """Share of its clips that the student does not see, in [0, 1] (ours)."""
    noise: float = 0.3
    """Of the student's features, in standard deviations, at least 0 (ours)."""

    def begin(self, predictions: Output, features: Features, weights: Tensors) -> dict[str, Any]:
        """The labels, and the source model as the teacher."""
        return super().begin(predictions, features, weights) | {"teacher": weights}

    def remember(self, predictions: Output, state: State) -> Memory:
        """The teacher's labels; `predictions` are the teacher's, as it is what is reported."""
        return self.learnt(predictions, predictions.logits.argmax(dim=1), state["labels"])

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """Cross-entropy of the student on the videos that are learnt from."""
        videos = batch.videos
        rgb, flow = features.rgb[videos], features.flow[videos]
        rgb, flow = fewer_clips(rgb, flow, self.dropped, model.noise)
        rgb, flow = (noisy(c, self.noise * deviations(c), model.noise) for c in (rgb, flow))
        labels, weights = memory.pseudo_labels[videos], memory.notes["weight"][videos]
        model.keep(labels=memory.pseudo_labels)
        return {"kept_label": kept_cross_entropy(model(rgb, flow).logits, labels, weights)}

    def after_step(self, model: Model, batch: Batch) -> dict[str, Any]:
        """The epoch's labels, and the teacher a little nearer to the student."""
        teacher = {
            name: weight.lerp(model.weights[name], 1 - self.momentum)
            for name, weight in model.state["teacher"].items()
        }
        return {"labels": model.kept["labels"], "teacher": teacher}

    def reported(self, weights: Tensors, state: State) -> Tensors:
        """The teacher's weights."""
        return state["teacher"]
