"""One run of training on frames: its network, optimiser, random numbers, and an epoch of it.

The counterpart of `pipeline.descent` for a network that is too large to stack: one seed at a time,
clips from a cache in place of features from a store, processes side by side by `torchrun`. A run
depends on its arguments alone.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline import descent
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.finetune import augmentation, processes
from pipeline.finetune.domain_norm import absorb, own_statistics
from pipeline.finetune.frames import Cache, Clips, Request, loaded
from pipeline.finetune.known import known
from pipeline.finetune.network import TwoStream
from pipeline.joint.method import Domain
from pipeline.joint.windows import Windows
from pipeline.methods.method import Extra
from pipeline.model import Model
from pipeline.noise import Noise
from pipeline.runs import Tensors

Known = Mapping[Domain, Features]
Objective = Callable[[Model, Any, Known], dict[str, Tensor]]
AfterStep = Callable[[Model, Any], dict[str, Any]]


@dataclass(frozen=True)
class Settings(descent.Settings):
    """Of the optimiser, and of how clips are seen.

    Raises:
        UserError: a value out of its range.
    """

    drop_at: float | None = 0.5
    """Share of the run after which the rate is a tenth (Kim et al.: 3000 of 6000 steps)."""
    crop: float = 0.8
    """Smallest share of a picture's side that a training clip shows, in (0, 1]."""
    mirror: bool = True
    """Whether half of the training clips are mirrored."""
    statistics: str = "own"
    """own: a training clip is normalised by its micro-batch's; stored: by the backbone's."""
    workers: int = 0
    """Processes that read clips ahead; never changes a result."""

    def lr_at(self, progress: float) -> float:
        """The learning rate when a share of the run, in [0, 1), is over."""
        dropped = self.drop_at is not None and progress >= self.drop_at
        return self.lr / 10 if dropped else self.lr


class Videos(NamedTuple):
    """Some videos of a domain, and where their frames are."""

    cache: Cache
    keys: Sequence[str]


class Step(NamedTuple):
    """What a step learns from: a method's batch, and the positions of its videos by domain."""

    batch: Any
    videos: Mapping[Domain, Tensor]


class Run:
    """A network in training.

    Args:
        network: of backbones; it is trained in place, on `device`.
        extras: what the method trains beside it.
        settings: of the optimiser.
        seed: of all that is random.
        videos: those that the steps' positions count, by domain.
        windows: whether flow sees the window of RGB ("same") or one of its own.
    """

    def __init__(
        self,
        network: TwoStream,
        extras: Mapping[str, Extra],
        settings: Settings,
        seed: int,
        videos: Mapping[Domain, Videos],
        windows: Windows,
    ):
        self.network, self.settings, self.videos = network, settings, videos
        self.device = network.rgb_classifier.weight.device
        self.modules = nn.ModuleDict({name: e.module.to(self.device) for name, e in extras.items()})
        self.generator = torch.Generator().manual_seed(seed)
        self.state: dict[str, Any] = {}
        self.epoch = 0
        self.rows: list[dict[str, float]] = []
        self._alike = windows == "same"
        whole = _Whole(network, self.modules)
        several = processes.count() > 1
        self._whole = DistributedDataParallel(whole) if several else whole
        self.optimiser = torch.optim.SGD(
            whole.parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )

    def descend(
        self, steps: Sequence[Step], objective: Objective, after_step: AfterStep | None
    ) -> dict[str, float]:
        """Takes the steps of the next epoch; returns each term's mean over them.

        Raises UserError: a term or a weight is not finite, or clips cannot be read.
        """
        totals: dict[str, Tensor] = {}
        for number, (step, seen) in enumerate(zip(steps, self.clips(steps), strict=True)):
            progress = (self.epoch + number / len(steps)) / self.settings.epochs
            terms = self.step(step, seen, objective, after_step, progress)
            for name, value in terms.items():
                totals[name] = totals.get(name, 0) + value.detach()
        self.epoch += 1
        means = {name: (total / len(steps)).item() for name, total in totals.items()}
        self._require_finite(means)
        return means

    def step(
        self,
        step: Step,
        seen: Mapping[Domain, tuple[Tensor, Tensor]],
        objective: Objective,
        after_step: AfterStep | None,
        progress: float,
    ) -> dict[str, Tensor]:
        """One step on clips (rgb, flow) of this process's videos, by domain; its terms."""
        seed = torch.randint(2**62, (), generator=self.generator)
        model = self.model(seed, progress)
        self.network.passing.seen.clear()  # of activations that were computed again
        terms = self._whole(lambda: objective(model, step.batch, self._known(step, seen)))
        absorb(processes.averaged(own_statistics(self.network.passing)))
        self.optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.lr_at(progress)
        self.optimiser.step()
        if after_step:
            with torch.no_grad():
                later = self.model(seed + 0x2545F491, progress)
                later.keep(**model.kept)
                self.state = after_step(later, step.batch)
        return terms

    def model(self, seed: Tensor, progress: float) -> Model:
        """What a method sees of the run."""
        return Model(
            self.network,
            weights(self.network),
            Noise(seed, self.device),
            modules=self.modules,  # type: ignore[arg-type]  # a mapping but in name
            extras={name: weights(module) for name, module in self.modules.items()},
            state=self.state,
            progress=progress,
        )

    def _known(self, step: Step, seen: Mapping[Domain, tuple[Tensor, Tensor]]) -> Known:
        """The features of all videos, of which the step's are known."""
        own = self.settings.statistics == "own"
        nothing = torch.empty(0, self.network.dim, device=self.device)
        features: dict[Domain, Features] = {}
        for domain, videos in self.videos.items():
            positions, rgb, flow = torch.empty(0, dtype=torch.long), nothing, nothing
            if domain in seen:
                positions = step.videos[domain]
                rgb, flow = self.network.features(*seen[domain], domain, own=own)
            parts = processes.gathered(rgb), processes.gathered(flow)
            features[domain] = known(videos.keys, positions, *parts)
        return features

    def clips(self, steps: Sequence[Step]) -> Iterator[dict[Domain, tuple[Tensor, Tensor]]]:
        """The clips of each step, as this process sees its part of them."""
        parts = [
            (domain, self._drawn(domain, positions))
            for step in steps
            for domain, positions in step.videos.items()
        ]
        wanted = [(self.videos[domain].cache, drawn[0]) for domain, drawn in parts]
        read = loaded(wanted, workers=self.settings.workers, device=self.device)
        views = iter(part[1][1] for part in parts)
        for step in steps:
            yield {domain: self._seen(next(read), next(views)) for domain in step.videos}

    def _drawn(self, domain: Domain, positions: Tensor) -> tuple[list[Request], augmentation.Views]:
        """Windows and views of this process's part of some videos."""
        uniform = torch.rand(6, len(positions), generator=self.generator)
        uniform = torch.stack([processes.own(row) for row in uniform])
        if not self.settings.mirror:
            uniform[5] = 1.0
        rgb, flow = uniform[0].tolist(), uniform[1].tolist()
        keys = self.videos[domain].keys
        requests = [
            Request(keys[position], (rgb[row],), None if self._alike else (flow[row],))
            for row, position in enumerate(processes.own(positions).tolist())
        ]
        return requests, augmentation.drawn(uniform[2:], self.settings.crop)

    def _seen(self, clips: Clips, views: augmentation.Views) -> tuple[Tensor, Tensor]:
        rgb, flow = (codes[:, 0] for codes in clips)
        seen = augmentation.seen
        return seen(rgb, views, motion=False), seen(flow, views, motion=True)

    def _require_finite(self, means: Mapping[str, float]) -> None:
        lost = [f"{name} is {value}" for name, value in means.items() if not math.isfinite(value)]
        if not lost and not all(w.isfinite().all() for w in self._whole.parameters()):
            lost = ["a weight of the network is not finite"]
        if lost:
            raise UserError(
                f"epoch {self.epoch}: training ran away, {', '.join(lost)}; lower finetune.lr (now "
                f"{self.settings.lr:g}) to a tenth, or lower the weight of that loss"
            )


class _Whole(nn.Module):
    """All that is trained; its forward pass is a whole step's, as data parallelism needs it."""

    def __init__(self, network: nn.Module, modules: nn.Module):
        super().__init__()
        self.network, self.modules_beside = network, modules

    def forward(self, terms: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """What it is told to compute."""
        return terms()


def weights(module: nn.Module) -> Tensors:
    """Parameters and statistics by name, the module's own tensors."""
    return dict(module.named_parameters()) | dict(module.named_buffers())
