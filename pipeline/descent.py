"""Gradient descent of several runs at once: its settings, and the epoch that training is made of.

Runs differ in their seed alone. Their weights are stacked, the forward pass is written for one run
and mapped over all (`torch.vmap`), and an optimiser of elementwise steps never mixes them: a run
gives the same result, but for rounding, as it does alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.model import Model
from pipeline.noise import Noise
from pipeline.runs import Tensors, stack, stacked_weights

Objective = Callable[[Model, Any, Any], dict[str, Tensor]]


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
    schedule: Literal["constant", "decay"] = "constant"
    """decay: lr (1 + 10 p)^-0.75, p the share of the run that is over (SHOT, SFDA)."""

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

    def lr_at(self, progress: float) -> float:
        """The learning rate when a share of the run, in [0, 1), is over."""
        return self.lr if self.schedule == "constant" else self.lr * (1 + 10 * progress) ** -0.75


class Descent:
    """Runs in training: their weights, optimiser, and random numbers.

    Args:
        networks: of one shape, a run each, where to begin; they stay as they are.
        settings: of the optimiser.
        seeds: a run each; of `generators`, which shuffle, draw, and seed what is random in a step.
        frozen: beginnings of the names of weights that are not trained.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        settings: Settings,
        seeds: Sequence[int],
        frozen: tuple[str, ...] = (),
    ):
        self.network = networks[0]
        self.weights = stacked_weights(networks)
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.device = next(iter(self.weights.values())).device
        self.modules: dict[str, nn.Module] = {}
        self.extras: dict[str, Tensors] = {}
        self.state: dict[str, Any] = {}
        self._seeds = seeds
        self._settings = settings
        learnable = [name for name, _ in networks[0].named_parameters()]
        trained = [name for name in learnable if not name.startswith(frozen or "\0")]
        self._trained = [self.weights[name].requires_grad_() for name in trained]
        self._sgd = torch.optim.SGD(
            self._trained,
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.nesterov,
        )
        self._optimisers: list[torch.optim.Optimizer] = [self._sgd]

    def add(self, name: str, modules: Sequence[nn.Module], adam_lr: float | None) -> None:
        """Trains a further module of each run, by Adam or beside the network."""
        self.modules[name] = modules[0].to(self.device)
        weights = stacked_weights([module.to(self.device) for module in modules])
        self.extras[name] = weights
        leaves = [weight.requires_grad_() for weight in weights.values()]
        if adam_lr is None:
            self._sgd.add_param_group({"params": leaves})
        else:
            self._optimisers.append(torch.optim.Adam(leaves, lr=adam_lr, betas=(0.5, 0.999)))
        self._trained += leaves

    def descend(
        self,
        epoch: int,
        batches: Sequence[Sequence[Any]],
        objective: Objective,
        memory: Any,
        after_step: Callable[[Model, Any], dict[str, Any]] | None = None,
    ) -> list[dict[str, float]]:
        """Takes a step for each batch of an epoch.

        Args:
            epoch: from 1.
            batches: of each step, of each run: trees of one form and of equal shapes.
            objective: one run's model, batch and memory to its named loss terms, scalars; a step
                descends their sum.
            memory: what the epoch's steps have in common, stacked over the runs.
            after_step: one run's model and batch to its next state; None: there is no state.

        Returns: of each run, each term's mean over the steps; empty without a step.

        Raises:
            UserError: a term or a weight is not finite.
        """
        totals: dict[str, Tensor] = {}
        for number, runs in enumerate(batches):
            progress = (epoch - 1 + number / len(batches)) / self._settings.epochs
            batch, seeds = stack(runs), self._step_seeds()
            terms, kept = self._terms(objective, batch, memory, seeds, progress)
            self._step(torch.stack([value.sum() for value in terms.values()]).sum(), progress)
            if after_step:
                self._carry_on(after_step, batch, kept, seeds, progress)
            for name, value in terms.items():
                totals[name] = totals.get(name, 0) + value.detach()
        means = {name: (total / len(batches)).tolist() for name, total in totals.items()}
        rows = [{name: means[name][run] for name in means} for run in range(len(self._seeds))]
        self._require_finite(epoch, rows)
        return rows

    def _step_seeds(self) -> Tensor:
        draws = [torch.randint(2**62, (), generator=generator) for generator in self.generators]
        return torch.stack(draws)

    def _model(self, own: Sequence[Any], progress: float) -> Model:
        """One run's model: own are its weights, extras, state and seed of the step."""
        weights, extras, state, seed = own
        return Model(
            self.network,
            weights,
            Noise(seed, self.device),
            modules=self.modules,
            extras=extras,
            state=state,
            progress=progress,
        )

    def _terms(
        self, objective: Objective, batch: Any, memory: Any, seeds: Tensor, progress: float
    ) -> tuple[dict[str, Tensor], Tensors]:
        """Each run's loss terms (runs,), and what the objective kept of the step."""

        def one(*parts: Any) -> tuple[dict[str, Tensor], Tensors]:
            *own, drawn, remembered = parts
            model = self._model(own, progress)
            return objective(model, drawn, remembered), model.kept

        return torch.vmap(one)(self.weights, self.extras, self.state, seeds, batch, memory)

    def _step(self, loss: Tensor, progress: float) -> None:
        for optimiser in self._optimisers:
            optimiser.zero_grad()
        loss.backward()
        if self._settings.clip_norm is not None:
            self._clip(self._settings.clip_norm)
        for group in self._sgd.param_groups:
            group["lr"] = self._settings.lr_at(progress)
        for optimiser in self._optimisers:
            optimiser.step()

    def _clip(self, longest: float) -> None:
        """Shortens each run's gradient to the longest that is allowed."""
        gradients = [weight.grad for weight in self._trained if weight.grad is not None]
        squares = [gradient.flatten(1).square().sum(dim=1) for gradient in gradients]
        norms = torch.stack(squares).sum(dim=0).sqrt()  # (runs,)
        shrink = (longest / (norms + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(shrink.view(-1, *[1] * (gradient.ndim - 1)))

    @torch.no_grad()
    def _carry_on(
        self,
        after_step: Callable[[Model, Any], dict[str, Any]],
        batch: Any,
        kept: Tensors,
        seeds: Tensor,
        progress: float,
    ) -> None:
        def one(*parts: Any) -> dict[str, Any]:
            *own, drawn, notes = parts
            model = self._model(own, progress)
            model.keep(**notes)
            return after_step(model, drawn)

        further = seeds + 0x2545F491  # not the step's own numbers again; low bits alone count
        weights = {name: weight.detach() for name, weight in self.weights.items()}
        extras = {n: {k: w.detach() for k, w in e.items()} for n, e in self.extras.items()}
        self.state = torch.vmap(one)(weights, extras, self.state, further, batch, kept)

    def _require_finite(self, epoch: int, rows: Sequence[Mapping[str, float]]) -> None:
        sound = torch.stack([w.isfinite().flatten(1).all(dim=1) for w in self._trained]).all(dim=0)
        for seed, row, whole in zip(self._seeds, rows, sound.tolist(), strict=True):
            lost = [f"{name} is {value}" for name, value in row.items() if not math.isfinite(value)]
            if not lost and not whole:
                lost = ["a weight of the network is not finite"]
            if lost:
                raise UserError(
                    f"epoch {epoch}: training ran away with seed {seed}, {', '.join(lost)}; lower "
                    f"lr (now {self._settings.lr:g}) to a tenth, lower the weight of that loss, or "
                    f"set clip_norm (now {self._settings.clip_norm}; 20 is usual)"
                )
