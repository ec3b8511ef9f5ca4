"""The log of an adaptation: scores that need no label, and warnings for what they show."""

import torch
from torch import Tensor

from pipeline.losses import entropies
from pipeline.methods.method import Memory
from pipeline.metrics import label_free_scores
from pipeline.network import Output

Row = dict[str, float]

RESTLESS = 0.05  # share of changed pseudo-labels below which a rise is no cause to warn
RISES = 3  # epochs in a row


class AdaptationLog:
    """Rows and warnings, in order of epoch.

    Args: remedy, what a warning advises to do.
    """

    def __init__(self, remedy: str):
        self.rows: list[Row] = []
        self.warnings: list[str] = []
        self._remedy = remedy
        self._memory: Memory | None = None
        self._counts: Tensor | None = None
        self._vanished: set[int] = set()
        self._changes: list[float] = []

    def add(
        self, epoch: int, losses: Row, predictions: Output, memory: Memory, probes: Row
    ) -> None:
        """Adds a row: epoch, losses (`<name>_loss`), scores, what changed since the row before.

        `entropy_threshold` is the lowest entropy among the videos of low confidence;
        `pseudo_label_change` and `split_change` are shares of the videos, in [0, 1].

        Args:
            epoch: 0 before the first step.
            losses: mean over the epoch's steps, by name.
            predictions: of all videos, in eval mode, after the epoch.
            memory: what the method makes of them.
            probes: scores of predictions of changed videos.
        """
        row: Row = {"epoch": epoch} | {f"{name}_loss": value for name, value in losses.items()}
        row |= label_free_scores(predictions.logits) | probes
        row["entropy_threshold"] = entropies(predictions.logits)[memory.low].min().item()
        if self._memory is not None:
            changed = self._memory.pseudo_labels != memory.pseudo_labels
            moved = _is_high(self._memory) != _is_high(memory)
            row["pseudo_label_change"] = changed.double().mean().item()
            row["split_change"] = moved.double().mean().item()
            self._watch_changes(epoch, row["pseudo_label_change"])
        self._watch_classes(epoch, predictions.logits)
        self._memory = memory
        self.rows.append(row)

    def _watch_classes(self, epoch: int, logits: Tensor) -> None:
        """Warns once of each class that was predicted an epoch ago and is not any more."""
        counts = torch.bincount(logits.argmax(dim=1), minlength=logits.shape[1])
        if self._counts is not None:
            lost = ((self._counts > 0) & (counts == 0)).nonzero().flatten().tolist()
            for number in lost:
                if number not in self._vanished:
                    self.warnings.append(
                        f"epoch {epoch}: class {number} was predicted for "
                        f"{self._counts[number].item()} videos an epoch ago and now for none; "
                        f"unless the target lacks this class, {self._remedy}"
                    )
            self._vanished.update(lost)
        self._counts = counts

    def _watch_changes(self, epoch: int, change: float) -> None:
        """Warns when pseudo-labels change more each epoch, once for each time that it begins."""
        before = self._changes[-1] if self._changes else change
        self._changes = [*self._changes, change] if change > before else [change]
        rises = len(self._changes) - 1
        if rises >= RISES and change >= RESTLESS and (rises == RISES or before < RESTLESS):
            shares = ", ".join(f"{100 * share:.1f} %" for share in self._changes)
            self.warnings.append(
                f"epoch {epoch}: pseudo-labels change more every epoch ({shares} of the videos): "
                f"they and the network chase each other; {self._remedy}"
            )


def _is_high(memory: Memory) -> Tensor:
    """(n,) booleans: the video is of high confidence."""
    mask = torch.zeros(len(memory.pseudo_labels), dtype=torch.bool, device=memory.high.device)
    mask[memory.high] = True
    return mask
