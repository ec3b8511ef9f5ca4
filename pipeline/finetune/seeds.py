"""The runs of one experiment, a seed each: which method, from which network, on what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from pipeline import backbones, params
from pipeline.finetune import processes, saved, survey
from pipeline.finetune.card import FinetunedCard, pretrained
from pipeline.finetune.network import TwoStream
from pipeline.finetune.run import Run, Settings, Videos
from pipeline.finetune.training import AfterEpoch, Both, adapt, normalised_as, train_jointly
from pipeline.fingerprint import fingerprint
from pipeline.joint import JOINT_METHODS, JointMethod, JointWeights
from pipeline.joint.method import Domain
from pipeline.methods import METHODS, Weights
from pipeline.methods.cleanadapt_teacher import CleanAdaptTeacher
from pipeline.methods.unpaired import Unpaired
from pipeline.staging import Staging

VERSION = 2  # raise it when an unchanged run would end otherwise
Row = dict[str, float]


class Domains(NamedTuple):
    """Videos with the numbers of their classes (n,), or without."""

    source: tuple[Videos, Tensor]
    bound: tuple[Videos, Tensor]
    """The target's training videos with their labels, for the upper bound alone."""
    target: Videos
    test: tuple[Videos, Tensor]


@dataclass(frozen=True)
class Course:
    """What all seeds have in common.

    section     of params.yaml
    weights     folder of the backbone that they begin with
    made_from   what shaped the frames, the flow and the backbone
    staging     where each epoch is kept
    """

    section: params.Finetune
    settings: Settings
    domains: Domains
    classes: tuple[str, ...]
    weights: Path
    made_from: Mapping[str, Any]
    device: torch.device
    staging: Staging

    @property
    def source_free(self) -> bool:
        """Whether the method adapts a source model, which is trained first."""
        return self.section.method in METHODS

    @property
    def card(self) -> FinetunedCard:
        """The card of what the method leaves."""
        method = self.section.method
        return FinetunedCard(
            classes=self.classes,
            dim=backbones.dim(self.section.backbone),
            features=self.made_from,
            backbone=self.section.backbone,
            method=method,
            statistics="target" if self.source_free else normalised_as(self.joint(method)),
        )

    def joint(self, name: str) -> JointMethod:
        """A method that sees the source."""
        section = self.section
        return JOINT_METHODS[name](JointWeights(section.lambda_, section.tau, section.threshold))

    def adapting(self) -> Unpaired:
        """A method that does not; the frames are augmented, so its features are not."""
        method = METHODS[self.section.method](Weights())
        if isinstance(method, CleanAdaptTeacher):
            method = replace(method, dropped=0.0, noise=0.0)
        return cast(Unpaired, method)

    def trained(self, seed: int) -> tuple[TwoStream, list[Row]]:
        """The network of one seed, and its log, a row an epoch.

        Raises UserError: data that do not fit, or training that ran away.
        """
        if not self.source_free:
            return self._jointly(self.section.method, seed, tested=True)
        source_model, _ = self._jointly("source_only_late", seed, tested=False)
        return self._adapted(source_model, seed)

    def tested(self, network: TwoStream) -> Tensor:
        """Logits (n, c) of the n labelled test videos, mean over their windows."""
        count, workers = self.section.test_windows, self.settings.workers
        videos, domain = self.domains.test[0], self.card.statistics
        seen = survey.features(network, videos, domain, windows=count, workers=workers)
        return survey.said(network, seen).logits.cpu()

    def new_network(self, seed: int) -> TwoStream:
        """Where a seed begins: the backbones as published, new classifiers."""
        network = pretrained(self.section.backbone, self.weights, len(self.classes), seed)
        network.micro_batch = self.section.micro_batch
        network.precision = getattr(torch, self.section.precision)
        laid = network.to(self.device)
        return laid.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def _jointly(self, name: str, seed: int, *, tested: bool) -> tuple[TwoStream, list[Row]]:
        method = self.joint(name)
        known = self.domains.bound if method.learns_from == "target" else self.domains.source
        data = Both(*known, self.domains.target)
        network = self.new_network(seed)
        extras = method.extras(network, seed)
        run = Run(network, extras, self.settings, seed, data.by_domain(), method.windows)
        key = self._fingerprint(name, seed)
        saved.resume(run, self.staging, key)
        after = self._after(normalised_as(method), key, tested=tested)
        return train_jointly(run, data, method, after), run.rows

    def _adapted(self, source_model: TwoStream, seed: int) -> tuple[TwoStream, list[Row]]:
        method, target = self.adapting(), self.domains.target
        run = Run(source_model, {}, self.settings, seed, {"target": target}, "independent")
        key = self._fingerprint(self.section.method, seed)
        saved.resume(run, self.staging, key)
        after = self._after("target", key, tested=True)
        return adapt(run, target, method, after), run.rows

    def _after(self, domain: Domain, key: str, *, tested: bool) -> AfterEpoch:
        """Measures what counts, notes the epoch, keeps the run."""
        first = self.settings.epochs - self.section.evaluations + 1

        def after(run: Run, result: Callable[[], TwoStream], row: Row) -> None:
            if tested and run.epoch >= first and self.domains.test[0].keys:
                count, workers = self.section.test_windows, self.settings.workers
                row["accuracy"] = survey.accuracy(
                    result(), *self.domains.test, domain, windows=count, workers=workers
                )
            run.rows.append(row)
            if processes.rank() == 0:
                saved.save(run, self.staging, key)

        return after

    def _fingerprint(self, name: str, seed: int) -> str:
        """All that the end of a run follows from."""
        parts = (self.domains.source, self.domains.bound, self.domains.test)
        return fingerprint(
            version=VERSION,
            trains=name,
            section=self.section.model_dump(),
            seed=seed,
            processes=processes.count(),
            classes=self.classes,
            made_from=self.made_from,
            videos=[videos.cache.fingerprints(videos.keys) for videos, _ in parts],
            target=self.domains.target.cache.fingerprints(self.domains.target.keys),
            labels=[numbers.tolist() for _, numbers in parts],
        )
