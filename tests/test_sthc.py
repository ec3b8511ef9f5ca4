import pytest
import torch
from one_run import adapt
from one_step import in_a_step
from torch import Tensor
from two_domains import two_domains

from pipeline.consistency_losses import divergences
from pipeline.descent import Settings
from pipeline.features import Features
from pipeline.losses import information_maximisation
from pipeline.methods import Batch, Weights, sthc
from pipeline.methods.sthc import Sthc
from pipeline.model import Model
from pipeline.network import RelationNetwork
from pipeline.noise import Noise
from pipeline.prediction import predict
from pipeline.views import fewer_clips

FEATURES = two_domains(seed=0, videos=(12, 12))[1].features
NETWORK = RelationNetwork(FEATURES.dim, 6, layers=1, dropout=0.0)
BATCH = Batch(torch.tensor([3, 7]), torch.tensor([0, 9]), torch.zeros(2))


def noise(seed: int = 0) -> Noise:
    return Noise(torch.tensor(seed), torch.device("cpu"))


def step(method: Sthc, features: Features = FEATURES) -> tuple[Model, dict[str, Tensor]]:
    model = in_a_step(method, NETWORK, features)
    memory = method.remember(predict(NETWORK, features), model.state)
    return model, method.losses(model, features, BATCH, memory)


# Clips that remain


@pytest.mark.parametrize(("clips", "removed", "left"), [(5, 0.4, 3), (1, 0.4, 1), (5, 0.99, 1)])
def test_a_clip_always_remains(
    clips: int, removed: float, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []

    def watched(rgb: Tensor, flow: Tensor, share: float, noise: Noise) -> tuple[Tensor, Tensor]:
        fewer = fewer_clips(rgb, flow, share, noise)
        kept.append(fewer[0].shape[1])
        return fewer

    monkeypatch.setattr(sthc, "fewer_clips", watched)
    shorter = Features(FEATURES.keys, FEATURES.rgb[:, :clips], FEATURES.flow[:, :clips])
    step(Sthc(Weights(), removed=removed), shorter)
    assert kept == [left]


# Losses


def test_sthc_is_information_maximisation_and_two_consistencies() -> None:
    model, terms = step(Sthc(Weights(), temporal=2.0, historical=3.0))
    videos = FEATURES.select(BATCH.videos)
    logits = predict(NETWORK, videos).logits
    rgb, flow = fewer_clips(videos.rgb, videos.flow, 0.4, noise())
    fewer = predict(NETWORK, Features(videos.keys, rgb, flow)).logits
    history = model.state["history"][BATCH.videos]
    expected = {
        "information_maximisation": information_maximisation(logits),
        "temporal_consistency": 2 * divergences(logits.softmax(dim=1), fewer).mean(),
        "historical_consistency": 3 * divergences(history, logits).mean(),
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)


def test_nothing_is_inconsistent_when_all_clips_stay_and_nothing_was_learnt() -> None:
    _, terms = step(Sthc(Weights(), removed=0.0))
    assert terms["temporal_consistency"].item() == pytest.approx(0, abs=1e-6)
    assert terms["historical_consistency"].item() == pytest.approx(0, abs=1e-6)


def test_a_history_of_another_class_is_inconsistent() -> None:
    method = Sthc(Weights())
    model = in_a_step(method, NETWORK, FEATURES)
    model.state = {"history": model.state["history"].roll(1, dims=1)}
    memory = method.remember(predict(NETWORK, FEATURES), model.state)
    assert method.losses(model, FEATURES, BATCH, memory)["historical_consistency"] > 0.01


# History


def test_history_begins_with_what_the_source_model_says() -> None:
    model = in_a_step(Sthc(Weights()), NETWORK, FEATURES)
    expected = predict(NETWORK, FEATURES).logits.softmax(dim=1)
    torch.testing.assert_close(model.state["history"], expected)


def test_a_step_changes_the_history_of_its_videos_alone_by_momentum() -> None:
    method = Sthc(Weights(), momentum=0.75)
    model = in_a_step(method, NETWORK, FEATURES)
    before = model.state["history"]
    said = torch.eye(6)[:4]
    model.keep(predictions=said)
    after = method.after_step(model, BATCH)["history"]
    torch.testing.assert_close(after[[3, 7, 0, 9]], 0.75 * before[[3, 7, 0, 9]] + 0.25 * said)
    others = [1, 2, 4, 5, 6, 8, 10, 11]
    assert torch.equal(after[others], before[others])
    torch.testing.assert_close(after.sum(dim=1), torch.ones(12))


def test_a_history_that_keeps_nothing_is_what_was_said_last() -> None:
    method = Sthc(Weights(), momentum=0.0)
    model, _ = step(method)
    after = method.after_step(model, BATCH)["history"]
    torch.testing.assert_close(after[BATCH.videos], model.kept["predictions"])


def test_history_holds_the_model_near_the_source_model() -> None:
    far, near = (
        adapt(
            NETWORK,
            FEATURES,
            Sthc(Weights(), historical=weight, momentum=1.0),
            Settings(epochs=5, lr=0.01),
            seed=0,
        ).model
        for weight in (0.0, 10.0)
    )
    start = predict(NETWORK, FEATURES).logits.softmax(dim=1)
    moved = [
        divergences(start, predict(model, FEATURES).logits).mean().item() for model in (far, near)
    ]
    assert moved[1] < moved[0] / 2
