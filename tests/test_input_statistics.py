import pytest
import torch

from pipeline.features import Features
from pipeline.input_statistics import InputStatistics, moments
from pipeline.methods import METHODS, Weights
from pipeline.network import RelationNetwork
from pipeline.prediction import predict
from pipeline.training import Settings, adapt, matched, pretrain

N, T, D, C = 12, 3, 8, 4


def features(seed: int, *, scale: float = 1.0, shift: float = 0.0) -> Features:
    generator = torch.Generator().manual_seed(seed)
    rgb, flow = torch.randn(2, N, T, D, generator=generator) * scale + shift
    return Features(tuple(f"video {n}" for n in range(N)), rgb, flow * 3 - 1)


SOURCE = features(0)


def taught() -> RelationNetwork:
    network = RelationNetwork(D, C, layers=1)
    labels = torch.arange(N) % C
    return pretrain({0: network}, SOURCE, labels, Settings(epochs=1))[0].model


def test_moments_are_those_of_all_clips_of_a_modality() -> None:
    rgb = torch.tensor([[[0.0, 10.0], [2.0, 10.0]], [[4.0, 10.0], [6.0, 10.0]]])
    mean, deviation = moments(Features(("a", "b"), rgb, -rgb))
    assert mean.tolist() == [[3, 10], [-3, -10]]
    torch.testing.assert_close(deviation, torch.tensor([[5.0, 0.0], [5.0, 0.0]]).sqrt())


def test_matched_clips_have_the_mean_and_deviation_that_the_network_knows() -> None:
    inputs, target = InputStatistics(D), features(1, scale=5, shift=-7)
    inputs.know(SOURCE)
    inputs.match(target)
    seen = Features(target.keys, *inputs(target.rgb, target.flow))
    for ours, theirs in zip(moments(seen), moments(SOURCE), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_before_it_is_matched_clips_pass_bit_by_bit() -> None:
    inputs = InputStatistics(D)
    inputs.know(SOURCE)
    rgb, flow = inputs(SOURCE.rgb, SOURCE.flow)
    assert torch.equal(rgb, SOURCE.rgb)
    assert torch.equal(flow, SOURCE.flow)


def test_a_moved_and_stretched_source_is_seen_as_the_source() -> None:
    model, moved = taught(), Features(SOURCE.keys, SOURCE.rgb * 4 + 9, SOURCE.flow / 7 - 2)
    ready = matched({0: model}, moved, range(N))[0]
    expected = predict(model, SOURCE).logits
    torch.testing.assert_close(predict(ready, moved).logits, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(predict(model, moved).logits, expected, atol=1e-2)


@pytest.mark.parametrize("value", [0.0, 5.0, 1e6])
def test_a_feature_that_never_changes_comes_as_its_known_mean(value: float) -> None:
    inputs, target = InputStatistics(D), features(1)
    inputs.know(SOURCE)
    target.rgb[..., 2] = value
    inputs.match(target)
    rgb, _ = inputs(target.rgb, target.flow)
    torch.testing.assert_close(rgb[..., 2], inputs.mean[0, 2].expand(N, T), atol=0.1, rtol=0)


def test_a_feature_that_hardly_changes_is_not_blown_up_without_end() -> None:
    inputs, target = InputStatistics(D), features(1)
    inputs.know(SOURCE)
    target.rgb[..., 2] *= 1e-12
    inputs.match(target)
    assert inputs.gain.isfinite().all()
    assert inputs.gain.max() < 2e3


def test_only_the_training_videos_count() -> None:
    target = features(1)
    ready = matched({0: taught()}, target, range(6))[0]
    target.rgb[6:] += 100
    again = matched({0: taught()}, target, range(6))[0]
    assert torch.equal(ready.inputs.shift, again.inputs.shift)


def test_the_models_given_stay_as_they_are_and_learn_from_their_clips_alone() -> None:
    model = taught()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    matched({0: model}, features(1, scale=3), range(N))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    torch.testing.assert_close(model.inputs.mean, moments(SOURCE)[0])


@pytest.mark.parametrize("name", METHODS)
def test_no_method_changes_the_statistics(name: str) -> None:
    target = features(1, scale=2, shift=1)
    ready = matched({0: taught()}, target, range(N))
    method = METHODS[name](Weights())
    trained = adapt(ready, target, method, Settings(epochs=2, lr=0.01, batch_size=6))[0].model
    for buffer, before in ready[0].inputs.state_dict().items():
        assert torch.equal(trained.inputs.state_dict()[buffer], before), buffer
