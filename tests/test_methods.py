import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
import torch
import yaml
from one_run import adapt, pretrain
from one_step import in_a_step, terms
from torch import Tensor
from two_domains import Domain, two_domains

from pipeline.descent import Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.glossary import glossary
from pipeline.losses import information_maximisation, mixing_factors
from pipeline.methods import METHODS, Batch, Memory, Method, Weights
from pipeline.methods.mtran import Mtran
from pipeline.methods.pairs import paired_batches, symmetric_beta
from pipeline.methods.shot import Shot
from pipeline.metrics import accuracy
from pipeline.model import Model, State
from pipeline.network import Output, RelationNetwork
from pipeline.params import Adapt
from pipeline.prediction import predict
from pipeline.runs import Tensors

ROOT = Path(__file__).parent.parent
CLASSES = 6
SHORT = Settings(epochs=2, batch_size=32)


@dataclass(frozen=True)
class Setting:
    """A source model and the target that it meets."""

    model: RelationNetwork
    target: Domain

    def score(self, model: RelationNetwork) -> float:
        predicted = predict(model, self.target.features).logits.argmax(dim=1)
        return accuracy(predicted, self.target.labels)


@pytest.fixture(scope="module")
def setting() -> Setting:
    source, target = two_domains(seed=0, shift=1.5)
    fresh = RelationNetwork(source.features.dim, CLASSES, layers=2)
    settings = Settings(epochs=5, batch_size=32)
    return Setting(pretrain(fresh, source.features, source.labels, settings, 0).model, target)


@pytest.fixture
def still(setting: Setting) -> RelationNetwork:
    """The source model without dropout."""
    model = RelationNetwork(setting.model.dim, CLASSES, layers=2, dropout=0.0)
    model.load_state_dict(setting.model.state_dict())
    return model


def first_batch(memory: Memory, seed: int = 0, batch_size: int = 32) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return next(paired_batches(memory.high, memory.low, batch_size, 0.85, generator))


def remember(network: RelationNetwork, features: Features) -> Memory:
    return Method(Weights()).remember(predict(network, features), {})


# Every method


@pytest.mark.parametrize("name", METHODS)
def test_a_method_keeps_what_the_source_model_knows(name: str, setting: Setting) -> None:
    run = adapt(setting.model, setting.target.features, METHODS[name](Weights()), SHORT, seed=0)
    assert all(math.isfinite(value) for row in run.rows for value in row.values())
    lost = setting.score(setting.model) - setting.score(run.model)
    assert round(lost, 6) <= 0.05


def test_source_only_beats_chance_and_leaves_room(setting: Setting) -> None:
    assert 2 / CLASSES < setting.score(setting.model) < 0.9


@pytest.mark.parametrize("name", METHODS)
def test_losses_depend_on_their_arguments_alone(
    name: str, setting: Setting, still: RelationNetwork
) -> None:
    method = METHODS[name](Weights())
    one, other = (terms(method, still, setting.target.features) for _ in range(2))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[term], other[term]) for term in one)
    assert all(value.shape == () for value in one.values())


def test_a_method_is_given_no_labels() -> None:
    given = {
        parameter.annotation
        for name in ("begin", "extras", "remember", "batches", "losses", "after_step", "reported")
        for parameter in inspect.signature(getattr(Method, name)).parameters.values()
        if parameter.name != "self"
    }
    pure = {int, torch.Generator, RelationNetwork, Tensors, State}
    assert given == {Output, Memory, Model, Features, Batch} | pure
    assert "labels" not in inspect.signature(adapt).parameters


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_named_wherever_it_is_chosen_or_told_of(name: str) -> None:
    benchmark = yaml.safe_load((ROOT / "benchmarks/accuracy.yaml").read_text())
    places = {
        "pipeline/params.py: Adapt.method": get_args(Adapt.model_fields["method"].annotation),
        "pipeline/templates/glossary.yaml: methods": glossary()["methods"],
        "benchmarks/accuracy.yaml: methods": benchmark["methods"],
    }
    assert not [place for place, names in places.items() if name not in names]


# Weights


def test_default_weights_are_the_papers() -> None:
    assert Weights() == Weights(lambda1=3, lambda2=1, lambda3=0.05, alpha=0.85, tau=0.9)


@pytest.mark.parametrize("name", ["lambda1", "lambda2", "lambda3", "alpha", "tau"])
def test_a_weight_out_of_range_is_refused_by_name(name: str) -> None:
    for value in (-1.0, math.nan, math.inf):
        with pytest.raises(UserError, match=f"{name} .* found {value}"):
            Weights(**{name: value})


@pytest.mark.parametrize("name", ["alpha", "tau"])
def test_mixing_needs_positive_parameters(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} must be finite and above 0"):
        Weights(**{name: 0.0})


# Batches


def memory_of(count: int) -> Memory:
    order = torch.randperm(count, generator=torch.Generator().manual_seed(9))
    return Memory(torch.zeros(count, dtype=torch.long), order[: count // 2], order[count // 2 :])


def epoch_of(memory: Memory, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
    return paired_batches(memory.high, memory.low, batch_size, 0.85, generator)


@pytest.mark.parametrize(("count", "batch_size"), [(40, 16), (40, 100), (6, 2), (2, 2), (50, 7)])
def test_an_epoch_shows_every_video_once_in_pairs(count: int, batch_size: int) -> None:
    memory = memory_of(count)
    batches = list(epoch_of(memory, batch_size, torch.Generator()))
    assert sorted(torch.cat([batch.videos for batch in batches]).tolist()) == list(range(count))
    for batch in batches:
        assert len(batch.high) == len(batch.low) == len(batch.draws)
        assert 2 <= len(batch.videos) <= batch_size
        assert set(batch.high.tolist()) <= set(memory.high.tolist())
        assert set(batch.low.tolist()) <= set(memory.low.tolist())


def test_of_an_odd_number_another_video_of_low_confidence_is_left_out_each_epoch() -> None:
    memory, generator = memory_of(7), torch.Generator().manual_seed(0)
    left_out = set()
    for _ in range(30):
        shown = torch.cat([batch.videos for batch in epoch_of(memory, 4, generator)])
        assert len(shown) == 6
        left_out |= set(range(7)) - set(shown.tolist())
    assert left_out == set(memory.low.tolist())


def test_batches_follow_their_generator() -> None:
    def drawn(generator: torch.Generator) -> Tensor:
        batches = epoch_of(memory_of(40), 16, generator)
        return torch.cat([torch.cat([batch.videos, batch.draws]) for batch in batches])

    generator = torch.Generator().manual_seed(1)
    first, second = drawn(generator), drawn(generator)
    assert torch.equal(first, drawn(torch.Generator().manual_seed(1)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("alpha", [0.3, 0.85, 1.0, 4.0])
def test_draws_have_the_moments_of_the_beta_distribution(alpha: float) -> None:
    draws = symmetric_beta(200_000, alpha, torch.Generator().manual_seed(0))
    assert 0 <= draws.min() <= draws.max() <= 1
    assert draws.mean().item() == pytest.approx(0.5, abs=3e-3)
    assert draws.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=1e-2)


def test_draws_follow_the_distributions_that_are_known_in_closed_form() -> None:
    grid = (torch.arange(100_000) + 0.5) / 100_000
    uniform = symmetric_beta(100_000, 1.0, torch.Generator().manual_seed(0)).sort().values
    assert (uniform - grid).abs().max() < 0.01
    arcsine = symmetric_beta(100_000, 0.5, torch.Generator().manual_seed(0)).sort().values
    assert (arcsine.sqrt().asin() * 2 / math.pi - grid).abs().max() < 0.01


def test_the_papers_mixing_factor_is_0_627_on_average() -> None:
    draws = symmetric_beta(200_000, 0.85, torch.Generator().manual_seed(0))
    clips, target = mixing_factors(draws, tau=0.9)
    assert clips.mean().item() == pytest.approx(0.627, abs=1e-3)
    assert target.mean().item() == pytest.approx(0.640, abs=1e-3)


# SHOT


def test_shot_is_information_maximisation_and_weighted_pseudo_labels(
    setting: Setting, still: RelationNetwork
) -> None:
    features = setting.target.features
    got = terms(Shot(Weights(lambda1=0.3)), still, features)
    memory = remember(still, features)
    videos = first_batch(memory).videos
    logits = predict(still, features.select(videos)).logits
    surprises = [
        -row.log_softmax(dim=0)[label]
        for row, label in zip(logits, memory.pseudo_labels[videos], strict=True)
    ]
    expected = {
        "information_maximisation": information_maximisation(logits),
        "pseudo_label": 0.3 * torch.stack(surprises).mean(),
    }
    assert got.keys() == expected.keys()
    for term, value in expected.items():
        torch.testing.assert_close(got[term].detach(), value)


def test_pseudo_labels_are_better_than_predictions_under_shift(setting: Setting) -> None:
    pseudo_labels = remember(setting.model, setting.target.features).pseudo_labels
    assert accuracy(pseudo_labels, setting.target.labels) > setting.score(setting.model)


# MTRAN


def test_mtran_without_relative_alignment_is_shot_bit_by_bit(setting: Setting) -> None:
    runs = [
        adapt(setting.model, setting.target.features, method, SHORT, seed=3)
        for method in (Shot(Weights()), Mtran(Weights(lambda2=0, lambda3=0)))
    ]
    assert runs[0].rows == runs[1].rows
    weights, others = (run.model.state_dict() for run in runs)
    assert all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("shot", []),
        ("mtran", ["multimodal_alignment", "temporal_alignment"]),
        ("mtran_without_mra", ["temporal_alignment"]),
        ("mtran_without_tra", ["multimodal_alignment"]),
    ],
)
def test_an_ablation_lacks_its_term_and_keeps_the_others(
    name: str, added: list[str], setting: Setting, still: RelationNetwork
) -> None:
    whole = terms(METHODS["mtran"](Weights()), still, setting.target.features)
    got = terms(METHODS[name](Weights()), still, setting.target.features)
    assert list(got) == ["information_maximisation", "pseudo_label", *added]
    assert all(torch.equal(got[term], whole[term]) for term in got)


@pytest.mark.parametrize(
    ("weight", "term"),
    [
        ("lambda1", "pseudo_label"),
        ("lambda2", "multimodal_alignment"),
        ("lambda3", "temporal_alignment"),
    ],
)
def test_a_weight_scales_its_term_alone(
    weight: str, term: str, setting: Setting, still: RelationNetwork
) -> None:
    one, two = (
        terms(Mtran(Weights(**{weight: value})), still, setting.target.features)
        for value in (0.5, 1.0)
    )
    for name in one:
        torch.testing.assert_close(two[name], one[name] * (2 if name == term else 1))


def test_a_video_mixed_with_itself_is_already_aligned(
    setting: Setting, still: RelationNetwork
) -> None:
    features, videos = setting.target.features, torch.arange(8)
    memory = remember(still, features)
    batch = Batch(videos, videos, torch.linspace(0, 1, 8))
    got = Mtran(Weights()).losses(
        in_a_step(Mtran(Weights()), still, features), features, batch, memory
    )
    assert got["multimodal_alignment"].item() == pytest.approx(0, abs=1e-9)
    assert got["temporal_alignment"].item() == pytest.approx(0, abs=1e-6)


def test_alignment_follows_equations_7_to_11_pair_by_pair(
    setting: Setting, still: RelationNetwork
) -> None:
    features = setting.target.features
    memory = remember(still, features)
    batch = first_batch(memory, batch_size=8)
    method = Mtran(Weights(tau=0.5))
    got = method.losses(in_a_step(method, still, features), features, batch, memory)
    multimodal, temporal = 0.0, 0.0
    for sure, unsure, draw in zip(*batch, strict=True):
        high, low = (features.select([video]) for video in (sure, unsure))
        share = max(math.exp(draw), math.exp(1 - draw)) / (math.exp(draw) + math.exp(1 - draw))
        mixed = Features(
            ("mixed",),
            *(share * h + (1 - share) * w for h, w in ((high.rgb, low.rgb), (high.flow, low.flow))),
        )
        lean = max(math.exp(2 * draw), math.exp(2 - 2 * draw))
        share = lean / (math.exp(2 * draw) + math.exp(2 - 2 * draw))
        outputs = [predict(still, videos) for videos in (mixed, high, low)]
        for kind in ("rgb", "flow", "fused"):
            m, h, w = (getattr(output, kind) for output in outputs)
            multimodal += (m - share * h - (1 - share) * w).square().mean().item() / 4
        m, h, w = (output.relations for output in outputs)
        target = share * h + (1 - share) * w
        temporal += (target * (target / m).log()).sum().item() / 4
    assert got["multimodal_alignment"].item() == pytest.approx(multimodal, rel=1e-4)
    assert got["temporal_alignment"].item() == pytest.approx(0.05 * temporal, rel=1e-3)
