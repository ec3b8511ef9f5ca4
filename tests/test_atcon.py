import pytest
import torch
import torch.nn.functional as F
from one_step import in_a_step
from torch import Tensor
from two_domains import two_domains

from pipeline.consistency_losses import feature_consistency, prediction_consistency
from pipeline.features import Features
from pipeline.losses import information_maximisation
from pipeline.methods import Batch, Weights
from pipeline.methods.atcon import Atcon, choices
from pipeline.network import RelationNetwork
from pipeline.prediction import predict

FEATURES = two_domains(seed=0, videos=(12, 12))[1].features
NETWORK = RelationNetwork(FEATURES.dim, 6, layers=1, dropout=0.0)
BATCH = Batch(torch.tensor([3, 7]), torch.tensor([0, 9]), torch.zeros(2))


def seen(clips: list[int], features: Features = FEATURES) -> Features:
    return Features(features.keys, features.rgb[:, clips], features.flow[:, clips])


def terms(method: Atcon, features: Features = FEATURES) -> dict[str, Tensor]:
    model = in_a_step(method, NETWORK, features)
    memory = method.remember(predict(NETWORK, features), model.state)
    return method.losses(model, features, BATCH, memory)


def test_scales_are_evenly_spaced_clips_up_to_all() -> None:
    assert choices(5) == [[0, 4], [0, 2, 4], [0, 1, 3, 4], [0, 1, 2, 3, 4]]
    assert choices(2) == [[0, 1]]
    assert choices(1) == [[0]]


@pytest.mark.parametrize("clips", range(2, 30))
def test_a_scale_shows_no_clip_twice(clips: int) -> None:
    for count, scale in enumerate(choices(clips), start=2):
        assert len(set(scale)) == count
        assert scale == sorted(scale)
        assert (scale[0], scale[-1]) == (0, clips - 1)


def test_atcon_is_shot_and_consistency_between_scales() -> None:
    method = Atcon(Weights(), information=2, clustering=3, feature=4, prediction=5)
    got = terms(method)
    outputs = [predict(NETWORK, seen(clips).select(BATCH.videos)) for clips in choices(5)]
    labels = method.remember(predict(NETWORK, FEATURES), {}).pseudo_labels[BATCH.videos]
    expected = {
        "information_maximisation": 2 * information_maximisation(outputs[-1].logits),
        "pseudo_label": 3 * F.cross_entropy(outputs[-1].logits, labels),
        "feature_consistency": 4 * feature_consistency([output.fused for output in outputs]),
        "prediction_consistency": 5 * prediction_consistency([o.logits for o in outputs]),
    }
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value)


def test_the_weights_are_those_of_the_authors_code_but_for_one() -> None:
    method = Atcon(Weights())
    assert (method.information, method.clustering, method.feature) == (0.5, 0.2, 0.01)


def test_a_video_of_equal_clips_says_the_same_at_all_scales() -> None:
    frozen = seen([2, 2, 2, 2, 2])
    assert terms(Atcon(Weights()), frozen)["prediction_consistency"].item() == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.parametrize("clips", [[0], [0, 1]])
def test_a_single_scale_has_nothing_to_be_consistent_with(clips: list[int]) -> None:
    assert terms(Atcon(Weights()), seen(clips)).keys() == {
        "information_maximisation",
        "pseudo_label",
    }
