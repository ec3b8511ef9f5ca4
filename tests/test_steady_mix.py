"""Steady mixup: MT-Mix and consistency with fewer clips, nothing else."""

import pytest
import torch
from one_step import terms
from two_domains import two_domains

from pipeline.features import Features
from pipeline.methods import METHODS, Weights
from pipeline.methods.steady_mix import SteadyMix
from pipeline.network import RelationNetwork
from pipeline.prediction import predict

FEATURES = two_domains(seed=0, videos=(12, 24))[1].features
NETWORK = RelationNetwork(FEATURES.dim, 6, layers=1, dropout=0.0)
WEIGHTS = Weights(lambda1=2.0, lambda2=0.5)


def test_with_all_labels_and_without_consistency_it_is_mt_mix() -> None:
    plain = SteadyMix(WEIGHTS, credible=1.0, consistency=0.0)
    own, theirs = (
        terms(method, NETWORK, FEATURES) for method in (plain, METHODS["mt_mix"](WEIGHTS))
    )
    assert own.pop("temporal_consistency") == 0
    assert own.keys() == theirs.keys()
    for name, value in own.items():
        assert value.item() == pytest.approx(theirs[name].item(), abs=1e-6)


def test_of_each_class_the_least_surprising_labels_are_kept() -> None:
    said = predict(NETWORK, FEATURES)
    memory = SteadyMix(WEIGHTS, credible=0.5).remember(said, {})
    kept, labels = memory.notes["kept"], memory.pseudo_labels
    surprise = -said.logits.log_softmax(dim=1)[torch.arange(len(labels)), labels]
    assert kept.any()
    assert not kept.all()
    for label in labels.unique():
        own = labels == label
        assert (kept & own).any()
        left_out = surprise[own & ~kept]
        assert left_out.numel() == 0 or surprise[own & kept].max() <= left_out.min()


def test_consistency_costs_nothing_where_no_clip_is_missing() -> None:
    whole = terms(SteadyMix(WEIGHTS, removed=0.0), NETWORK, FEATURES)
    assert whole["temporal_consistency"].item() == pytest.approx(0, abs=1e-6)
    fewer = terms(SteadyMix(WEIGHTS), NETWORK, FEATURES)
    assert fewer["temporal_consistency"].item() > 1e-4


def test_a_video_of_equal_clips_is_consistent() -> None:
    rgb, flow = (clips[:, :1].repeat(1, 5, 1) for clips in (FEATURES.rgb, FEATURES.flow))
    own = terms(SteadyMix(WEIGHTS), NETWORK, Features(FEATURES.keys, rgb, flow))
    assert own["temporal_consistency"].item() == pytest.approx(0, abs=1e-6)


def test_its_weight_scales_consistency() -> None:
    once, thrice = (
        terms(SteadyMix(WEIGHTS, consistency=weight), NETWORK, FEATURES)["temporal_consistency"]
        for weight in (1.0, 3.0)
    )
    assert torch.isclose(thrice, 3 * once)
