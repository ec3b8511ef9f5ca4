import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.network import RelationLayer, RelationNetwork
from pipeline.noise import Noise

N, T, D, C = 3, 4, 8, 5


def network(dropout: float = 0.3) -> RelationNetwork:
    return RelationNetwork(D, C, layers=2, dropout=dropout, seed=1)


def clips(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rgb, flow = torch.randn(2, N, T, D, generator=generator)
    return rgb, flow


def test_the_papers_network_has_65135628_parameters() -> None:
    model = RelationNetwork(1024, 12)
    assert sum(weight.numel() for weight in model.parameters()) == 65_135_628


def test_every_field_has_the_videos_first() -> None:
    output = network()(*clips())
    assert output.logits.shape == (N, C)
    assert output.fused.shape == output.rgb.shape == output.flow.shape == (N, D)
    assert output.relations.shape == (N, 2, 2, T, T)
    part = output.part(slice(1, 3))
    assert all(torch.equal(some, all_[1:3]) for some, all_ in zip(part, output, strict=True))


def test_an_output_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        network()(*clips()).logits = torch.zeros(N, C)


def test_relations_are_distributions() -> None:
    relations = network()(*clips()).relations
    assert relations.min() >= 0
    torch.testing.assert_close(relations.sum(dim=-1), torch.ones(N, 2, 2, T))


def test_the_order_of_clips_has_no_effect_on_a_prediction() -> None:
    model, (rgb, flow) = network(), clips()
    order = torch.tensor([2, 0, 3, 1])
    straight, shuffled = model(rgb, flow), model(rgb[:, order], flow[:, order])
    torch.testing.assert_close(shuffled.logits, straight.logits)
    torch.testing.assert_close(shuffled.relations, straight.relations[..., order, :][..., order])


def test_a_prediction_does_not_depend_on_the_other_videos() -> None:
    model, (rgb, flow) = network(), clips()
    torch.testing.assert_close(model(rgb[:1], flow[:1]).logits, model(rgb, flow).logits[:1])


def test_each_modality_has_weights_of_its_own() -> None:
    model, (rgb, _) = network(), clips()
    output = model(rgb, rgb)
    assert not torch.allclose(output.rgb, output.flow)


@torch.no_grad()
def test_a_layer_equals_equations_1_to_3_written_clip_by_clip() -> None:
    layer, (video, _) = RelationLayer(D, dropout=0.3), clips()
    got, got_relations = layer(video, None)
    for n in range(N):
        query, key, value = (
            [linear(video[n, t]) for t in range(T)]
            for linear in (layer.query, layer.key, layer.value)
        )
        for t in range(T):
            weights = [math.exp(float(query[t] @ key[s]) / math.sqrt(D)) for s in range(T)]
            related = [weight / sum(weights) for weight in weights]
            attended = sum((related[s] * value[s] for s in range(T)), torch.zeros(D))
            z = F.layer_norm(attended + video[n, t], (D,))
            fed = layer.feed_out(layer.feed_in(z).clamp_min(0))
            torch.testing.assert_close(got_relations[n, t], torch.tensor(related))
            torch.testing.assert_close(got[n, t], F.layer_norm(fed + z, (D,)))


def test_the_fused_feature_is_non_negative_and_what_the_classifier_reads() -> None:
    model = network()
    output = model(*clips())
    assert output.fused.min() >= 0
    torch.testing.assert_close(model.classifier(output.fused), output.logits)


def noise(seed: int = 0) -> Noise:
    return Noise(torch.tensor(seed), torch.device("cpu"))


def test_dropout_follows_the_noise_and_is_not_there_without() -> None:
    model, videos = network(), clips()
    assert torch.equal(model(*videos, noise(1)).logits, model(*videos, noise(1)).logits)
    assert not torch.equal(model(*videos, noise(1)).logits, model(*videos, noise(2)).logits)
    assert not torch.equal(model(*videos, noise(1)).logits, model(*videos).logits)
    assert torch.equal(model(*videos).logits, model.train()(*videos).logits)


def test_dropout_spares_the_inputs_and_the_relations_of_the_first_layer() -> None:
    model, videos = network(dropout=0.9), clips()
    first = model(*videos, noise()).relations[:, :, 0]
    torch.testing.assert_close(first, model(*videos).relations[:, :, 0])


def test_a_seed_gives_the_same_weights_whatever_was_drawn_before() -> None:
    one = network().state_dict()
    torch.rand(3)
    other = network().state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    third = RelationNetwork(D, C, layers=2, seed=2).state_dict()
    assert not torch.equal(one["classifier.weight"], third["classifier.weight"])


def test_making_a_network_leaves_the_global_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    network()
    assert torch.equal(torch.rand(4), expected)


def test_the_first_weights_are_as_recommended() -> None:
    model = RelationNetwork(64, 12, layers=1)
    assert torch.equal(model.classifier.bias, torch.zeros(12))
    xavier = math.sqrt(2 / (64 + 12))
    assert model.classifier.weight.std().item() == pytest.approx(xavier, rel=0.1)
    weights = model.state_dict()
    for name in ("rgb.layers.0.query.weight", "fusion.weight"):
        bound = 1 / math.sqrt(weights[name].shape[1])
        assert 0.95 * bound < weights[name].abs().max() <= bound
