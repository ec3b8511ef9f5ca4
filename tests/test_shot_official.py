import pytest
import torch
from one_run import pretrain
from one_step import in_a_step, terms
from two_domains import two_domains

from pipeline.descent import Settings
from pipeline.methods import Weights
from pipeline.methods.shot import Shot
from pipeline.methods.shot_official import ShotOfficial
from pipeline.network import RelationNetwork
from pipeline.prediction import predict

SOURCE, TARGET = two_domains(seed=0, videos=(60, 60), shift=1.5)
METHOD = ShotOfficial(Weights())


@pytest.fixture(scope="module")
def network() -> RelationNetwork:
    fresh = RelationNetwork(TARGET.features.dim, 6, layers=1, dropout=0.0)
    settings = Settings(epochs=3, batch_size=16)
    return pretrain(fresh, SOURCE.features, SOURCE.labels, settings, 0).model


def test_the_descent_is_shots_and_the_rest_of_the_settings_stays() -> None:
    given = Settings(epochs=7, lr=0.002, batch_size=40, clip_norm=5.0)
    expected = Settings(
        epochs=7,
        lr=0.002,
        batch_size=40,
        clip_norm=5.0,
        weight_decay=1e-3,
        nesterov=True,
        schedule="decay",
    )
    assert METHOD.settings(given) == expected


def test_pseudo_labels_weigh_beta_whatever_lambda1(network: RelationNetwork) -> None:
    given = [
        terms(ShotOfficial(Weights(lambda1=lambda1), beta=beta), network, TARGET.features)
        for lambda1, beta in ((3.0, 0.3), (1.0, 0.3), (3.0, 0.6))
    ]
    one, other, double = (losses["pseudo_label"] for losses in given)
    assert torch.equal(one, other)
    torch.testing.assert_close(double, 2 * one)


def test_batches_are_of_all_videos_and_the_terms_are_shots(network: RelationNetwork) -> None:
    memory = METHOD.remember(predict(network, TARGET.features), {})
    (batch,) = METHOD.batches(memory, 60, torch.Generator())
    assert sorted(batch.videos.tolist()) == list(range(60))
    one, other = (
        method.losses(in_a_step(method, network, TARGET.features), TARGET.features, batch, memory)
        for method in (METHOD, Shot(Weights(lambda1=0.3)))
    )
    assert one == other
