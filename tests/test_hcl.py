from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from one_run import pretrain
from torch import Tensor
from two_domains import two_domains

from pipeline.descent import Settings
from pipeline.methods import Batch, Weights
from pipeline.methods.hcl import Hcl, Keys
from pipeline.model import Model
from pipeline.network import RelationNetwork
from pipeline.noise import Noise
from pipeline.prediction import predict
from pipeline.weighted_losses import agreement, reliabilities

METHOD = Hcl(Weights(), queue=20)
SOURCE, TARGET = two_domains(seed=0, videos=(60, 60), shift=1.5)
FEATURES = TARGET.features


@pytest.fixture(scope="module")
def network() -> RelationNetwork:
    fresh = RelationNetwork(FEATURES.dim, 6, layers=1, dropout=0.0)
    settings = Settings(epochs=5, batch_size=16)
    return pretrain(fresh, SOURCE.features, SOURCE.labels, settings, 0).model


def weights_of(network: RelationNetwork) -> dict[str, Tensor]:
    return {name: weight.detach() for name, weight in network.state_dict().items()}


def begun(network: RelationNetwork, method: Hcl = METHOD) -> dict[str, Any]:
    return method.begin(predict(network, FEATURES), FEATURES, weights_of(network))


def in_a_step(network: RelationNetwork, state: Mapping[str, Any], scale: float = 1.0) -> Model:
    """The network, its weights `scale` times the teacher's."""
    weights = {name: scale * weight for name, weight in weights_of(network).items()}
    return Model(network, weights, Noise(torch.tensor(0), torch.device("cpu")), state=state)


def losses(
    model: Model, videos: Tensor, network: RelationNetwork, method: Hcl = METHOD
) -> dict[str, Tensor]:
    memory = method.remember(predict(network, FEATURES), model.state)
    return method.losses(model, FEATURES, batch_of(videos), memory)


def batch_of(videos: Tensor) -> Batch:
    high, low = videos.chunk(2)
    return Batch(high, low, torch.zeros(len(high)))


def test_the_teacher_begins_as_the_source_model_and_the_queue_empty(
    network: RelationNetwork,
) -> None:
    state = begun(network)
    assert all(torch.equal(state["teacher"][k], w) for k, w in weights_of(network).items())
    assert [tuple(part.shape) for part in state["queue"]] == [(20, FEATURES.dim), (20,), (20,)]
    assert not state["queue"].reliabilities.any()
    spread = FEATURES.rgb.flatten(0, 1).std(dim=0, correction=0)
    torch.testing.assert_close(state["spreads"]["rgb"], 0.05 * spread)


def test_the_teacher_follows_the_network_slowly(network: RelationNetwork) -> None:
    model = in_a_step(network, begun(network), scale=2.0)
    videos = torch.arange(8)
    losses(model, videos, network)
    teacher = METHOD.after_step(model, batch_of(videos))["teacher"]
    for name, weight in weights_of(network).items():
        torch.testing.assert_close(teacher[name], (0.996 + 0.004 * 2) * weight)


def test_the_queue_takes_in_each_batch_and_gives_up_the_oldest(network: RelationNetwork) -> None:
    state = begun(network)
    for videos in (torch.arange(8), torch.arange(8, 16), torch.arange(16, 24)):
        model = in_a_step(network, state)
        losses(model, videos, network)
        state = METHOD.after_step(model, batch_of(videos))
        assert len(state["queue"].videos) == 20
    queue = state["queue"]
    assert queue.videos.tolist() == [*range(16, 24), *range(8, 16), *range(4)]
    said = predict(network, FEATURES)
    newest = F.normalize(said.fused[16:24], dim=1)
    torch.testing.assert_close(queue.features[:8], newest, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        queue.reliabilities[:8], reliabilities(said.logits[16:24]), rtol=1e-4, atol=1e-5
    )


def test_a_batch_larger_than_the_queue_leaves_its_size(network: RelationNetwork) -> None:
    model, videos = in_a_step(network, begun(network)), torch.arange(30)
    losses(model, videos, network)
    queue = METHOD.after_step(model, batch_of(videos))["queue"]
    assert queue.videos.tolist() == list(range(20))


def test_losses_equal_their_formulas_video_by_video(network: RelationNetwork) -> None:
    """Without dropout, noise and a second clip, a view is the video itself."""
    still = replace(METHOD, noise=0.0)
    state, videos = begun(network, still), torch.arange(8)
    one_clip = replace(FEATURES, rgb=FEATURES.rgb[:, :1], flow=FEATURES.flow[:, :1])
    taught = predict(network, one_clip)
    directions, trust = F.normalize(taught.fused, dim=1), reliabilities(taught.logits)
    earlier = torch.arange(4, 20)  # videos 4 to 7 are in the batch too
    gone = torch.zeros(4)
    state["queue"] = Keys(
        torch.cat([directions[earlier], torch.zeros(4, FEATURES.dim)]),
        torch.cat([trust[earlier], gone]),
        torch.cat([earlier, gone.long()]),
    )
    louder = RelationNetwork(FEATURES.dim, 6, layers=1, dropout=0.0)
    louder.load_state_dict({k: 1.1 * w for k, w in network.state_dict().items()})
    seen = predict(louder, one_clip)
    memory = still.remember(seen, state)
    got = still.losses(in_a_step(network, state, 1.1), one_clip, batch_of(videos), memory)
    contrast, labels = 0.0, 0.0
    keys = [*range(8), *range(4, 20)]
    for video in range(8):
        query = F.normalize(seen.fused[video], dim=0)
        scores = [(trust[k] * (query @ directions[k] / 0.07).exp()).item() for k in keys]
        own = sum(score for k, score in zip(keys, scores, strict=True) if k == video)
        contrast -= torch.tensor(own / sum(scores)).log().item() / 8
        surprise = -seen.logits[video].log_softmax(dim=0)[seen.logits[video].argmax()]
        pair = seen.logits[video, None], taught.logits[video, None]
        labels += (agreement(*pair)[0] * surprise).item() / 8
    assert got["instance_contrast"].item() == pytest.approx(contrast, rel=1e-3)
    assert got["historical_label"].item() == pytest.approx(labels, rel=1e-3)


def test_no_gradient_reaches_the_teacher_or_the_queue(network: RelationNetwork) -> None:
    state = begun(network)
    model, videos = in_a_step(network, state), torch.arange(8)
    model.weights = {name: w.clone().requires_grad_() for name, w in model.weights.items()}
    sum(losses(model, videos, network).values(), torch.zeros(())).backward()
    assert all(model.weights[name].grad is not None for name, _ in network.named_parameters())
    assert not any(kept.requires_grad for kept in model.kept.values())


def test_a_view_is_noisy_and_differs_from_step_to_step(network: RelationNetwork) -> None:
    videos, model = torch.arange(8), in_a_step(network, begun(network))
    first, second = (losses(model, videos, network)["historical_label"] for _ in range(2))
    assert first != second
