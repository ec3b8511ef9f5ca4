"""Stochastic gradient descent: its settings, and the epoch that all training is made of."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.network import RelationNetwork

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Settings:
    """Stochastic gradient descent with momentum; the defaults are MTRAN's, for both stages.

    Raises:
        UserError: a value out of its range.
    """

    epochs: int = 50
    lr: float = 0.01
    batch_size: int = 128
    """Videos a step, at least 2; an odd one is one less in adaptation, which draws pairs."""
    momentum: float = 0.9
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    """Of `pretrain` alone, in [0, 1)."""
    nesterov: bool = False
    clip_norm: float | None = None
    """Longest gradient that is followed as it is; None: any."""

    def __post_init__(self) -> None:
        ranges = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "lr": (self.lr > 0, "above 0"),
            "batch_size": (self.batch_size >= 2, "at least 2"),
            "momentum": (0 <= self.momentum < 1, "in [0, 1)"),
            "weight_decay": (self.weight_decay >= 0, "at least 0"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "in [0, 1)"),
            "nesterov": (not self.nesterov or self.momentum > 0, "off without momentum"),
            "clip_norm": (self.clip_norm is None or self.clip_norm > 0, "above 0, or none"),
        }
        for name, (fits, expected) in ranges.items():
            if not fits:
                raise UserError(f"{name} must be {expected}; found {getattr(self, name)}")


class Descent:
    """A model that is being trained, its optimiser, and the run's random numbers.

    It owns what no method should care about: the optimiser, train and eval mode, dropout's seeds,
    the check that training did not run away.

    Args:
        model: trained in place, as far as its weights require gradients; in eval mode but while
            steps are taken.
        settings: of the optimiser.
        seed: of `generator` (on the CPU), which shuffles, draws, and seeds dropout.
    """

    def __init__(self, model: RelationNetwork, settings: Settings, seed: int):
        self.model = model.eval()
        self.generator = torch.Generator().manual_seed(seed)
        self._settings = settings
        self._trained = [weight for weight in model.parameters() if weight.requires_grad]
        self.device = self._trained[0].device
        self._optimiser = torch.optim.SGD(
            self._trained,
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.nesterov,
        )

    def descend(
        self,
        epoch: int,
        batches: Iterable[Drawn],
        objective: Callable[[Drawn], dict[str, Tensor]],
    ) -> dict[str, float]:
        """Takes a step for each batch of an epoch.

        Args:
            epoch: for the message.
            batches: whatever `objective` takes.
            objective: a batch's named loss terms, scalars; a step descends their sum.

        Returns: each term's mean over the steps; empty without a step.

        Raises:
            UserError: a term or a weight is not finite.
        """
        sums: dict[str, Tensor] = {}
        steps = 0
        self.model.train()
        with _seeded(self._draw_seed(), self.device):
            for batch in batches:
                terms = objective(batch)
                self._step(torch.stack(list(terms.values())).sum())
                steps += 1
                for name, value in terms.items():
                    sums[name] = sums.get(name, 0) + value.detach()
        self.model.eval()
        means = {name: total.item() / steps for name, total in sums.items()}
        self._require_finite(epoch, means)
        return means

    def _step(self, loss: Tensor) -> None:
        self._optimiser.zero_grad()
        loss.backward()
        if self._settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._trained, self._settings.clip_norm)
        self._optimiser.step()

    def _draw_seed(self) -> int:
        return int(torch.randint(2**63 - 1, (), generator=self.generator))

    def _require_finite(self, epoch: int, losses: dict[str, float]) -> None:
        lost = [f"{name} is {value}" for name, value in losses.items() if not math.isfinite(value)]
        if not lost and not all(weight.isfinite().all() for weight in self._trained):
            lost = ["a weight of the network is not finite"]
        if lost:
            raise UserError(
                f"epoch {epoch}: training ran away, {', '.join(lost)}; lower lr (now "
                f"{self._settings.lr:g}) to a tenth, lower the weight of that loss, or set "
                f"clip_norm (now {self._settings.clip_norm}; 20 is usual)"
            )


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Global random numbers, dropout's only source, start at `seed` inside; outside, no trace."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
