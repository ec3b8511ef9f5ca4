import math
from dataclasses import replace

import pytest
import torch
from one_run import pretrain
from one_step import in_a_step, terms
from torch import Tensor
from two_domains import two_domains

from pipeline.descent import Settings
from pipeline.features import Features
from pipeline.methods import METHODS, Batch, Weights
from pipeline.methods.mt_absolute import MtAbsolute
from pipeline.methods.mt_mix import MtMix
from pipeline.methods.mtran import Mtran
from pipeline.network import RelationNetwork
from pipeline.prediction import predict

SOURCE, TARGET = two_domains(seed=0, videos=(60, 60), shift=1.5)
FEATURES = TARGET.features
WEIGHTS = Weights()


@pytest.fixture(scope="module")
def network() -> RelationNetwork:
    fresh = RelationNetwork(FEATURES.dim, 6, layers=1, dropout=0.0)
    settings = Settings(epochs=5, batch_size=16)
    return pretrain(fresh, SOURCE.features, SOURCE.labels, settings, 0).model


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("m_mmd", ["discrepancy"]),
        ("mt_absolute", ["multimodal_alignment", "temporal_alignment"]),
        ("mt_mix", ["mixup"]),
    ],
)
def test_a_variant_replaces_alignment_and_keeps_shots_terms(
    name: str, added: list[str], network: RelationNetwork
) -> None:
    whole = terms(Mtran(WEIGHTS), network, FEATURES)
    got = terms(METHODS[name](WEIGHTS), network, FEATURES)
    kept = ["information_maximisation", "pseudo_label"]
    assert list(got) == [*kept, *added]
    assert all(torch.equal(got[term], whole[term]) for term in kept)
    assert all(got[term].item() > 0 for term in added)


@pytest.mark.parametrize(("name", "term"), [("m_mmd", "discrepancy"), ("mt_mix", "mixup")])
def test_lambda2_is_the_weight_of_what_replaces_alignment(
    name: str, term: str, network: RelationNetwork
) -> None:
    one, two = (
        terms(METHODS[name](replace(WEIGHTS, lambda2=weight)), network, FEATURES)
        for weight in (0.5, 1.0)
    )
    torch.testing.assert_close(two[term], 2 * one[term])


# M-MMD


def slow_discrepancy(high: Tensor, low: Tensor) -> Tensor:
    both = torch.cat([high, low])
    squares = torch.cdist(both, both).square()
    mean = squares.sum() / (len(both) * (len(both) - 1))
    scales = torch.tensor([0.25, 0.5, 1, 2, 4])[:, None, None]
    kernel = (-squares / (scales * mean)).exp().sum(dim=0)
    n = len(high)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def test_discrepancy_is_between_the_halves_in_all_three_kinds_of_feature(
    network: RelationNetwork,
) -> None:
    method = METHODS["m_mmd"](WEIGHTS)
    memory = method.remember(predict(network, FEATURES), {})
    batch = next(method.batches(memory, 32, torch.Generator().manual_seed(0)))
    high, low = (predict(network, FEATURES.select(part)) for part in (batch.high, batch.low))
    kinds = zip(high.features, low.features, strict=True)
    expected = torch.stack([slow_discrepancy(*pair) for pair in kinds]).sum()
    got = terms(method, network, FEATURES)["discrepancy"]
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


# MT-Absolute


def test_the_mixed_clips_are_mtrans_and_the_target_is_the_surer_video() -> None:
    draws = torch.linspace(0, 1, 11)
    clips, target = MtAbsolute(WEIGHTS).shares(draws)
    assert torch.equal(clips, Mtran(WEIGHTS).shares(draws)[0])
    assert torch.equal(target, torch.ones(11))


def test_mixed_videos_are_moved_to_the_features_of_the_surer_video(
    network: RelationNetwork,
) -> None:
    method = MtAbsolute(WEIGHTS)
    memory = method.remember(predict(network, FEATURES), {})
    batch = next(method.batches(memory, 8, torch.Generator().manual_seed(0)))
    got = method.losses(in_a_step(method, network, FEATURES), FEATURES, batch, memory)
    share = method.shares(batch.draws)[0][:, None, None]
    high, low = (FEATURES.select(half) for half in (batch.high, batch.low))
    rgb, flow = (
        share * sure + (1 - share) * unsure
        for sure, unsure in ((high.rgb, low.rgb), (high.flow, low.flow))
    )
    said, target = predict(network, Features(high.keys, rgb, flow)), predict(network, high)
    kinds = zip(said.features, target.features, strict=True)
    expected = sum((mixed - sure).square().mean().item() for mixed, sure in kinds)
    assert got["multimodal_alignment"].item() == pytest.approx(expected, rel=1e-3)


# MT-Mix


def test_mixup_of_a_video_with_itself_is_the_pseudo_label_loss(network: RelationNetwork) -> None:
    method = MtMix(replace(WEIGHTS, lambda1=1.0))
    memory = method.remember(predict(network, FEATURES), {})
    batch = Batch(torch.arange(8), torch.arange(8), torch.linspace(0, 1, 8))
    got = method.losses(in_a_step(method, network, FEATURES), FEATURES, batch, memory)
    assert got["mixup"].item() == pytest.approx(got["pseudo_label"].item(), rel=1e-4)


def test_mixup_weighs_labels_as_clips_are_mixed(network: RelationNetwork) -> None:
    method = MtMix(WEIGHTS)
    memory = method.remember(predict(network, FEATURES), {})
    batch = Batch(torch.tensor([3]), torch.tensor([4]), torch.tensor([1.0]))
    got = method.losses(in_a_step(method, network, FEATURES), FEATURES, batch, memory)["mixup"]
    share = math.e / (math.e + 1)
    rgb, flow = (
        share * clips[3:4] + (1 - share) * clips[4:5] for clips in (FEATURES.rgb, FEATURES.flow)
    )
    surprise = -predict(network, Features(("mixed",), rgb, flow)).logits[0].log_softmax(dim=0)
    first, second = (surprise[memory.pseudo_labels[video]].item() for video in (3, 4))
    assert got.item() == pytest.approx(share * first + (1 - share) * second, rel=1e-4)
