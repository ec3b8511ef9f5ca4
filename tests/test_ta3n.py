"""TA3N: domain attention, attentive entropy, relations of clips, and the method made of them."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from two_sided import BATCH, DATA, in_a_step, network_of, terms

from pipeline.descent import Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.joint import JOINT_METHODS, JointMethod, JointWeights
from pipeline.joint.attentive import attentive_entropy, domain_attention
from pipeline.joint.clip_relations import ClipRelations, even_subsets
from pipeline.joint.shape import Shape
from pipeline.joint.training import fit, predict


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def entropy(logits: Tensor) -> float:
    return -sum(p * math.log(p) for p in logits.softmax(dim=0).tolist())


def made() -> JointMethod:
    return JOINT_METHODS["ta3n"](JointWeights())


# Domain attention and attentive entropy


def test_attention_is_one_where_the_domain_is_sure_and_least_where_it_is_not() -> None:
    got = domain_attention(torch.tensor([[100.0, 0.0], [0.0, 0.0]]))
    torch.testing.assert_close(got, torch.tensor([1.0, 1 - math.log(2)]))


def test_attention_equals_its_formula_and_is_a_constant() -> None:
    domains = normal(3, 4, 2).requires_grad_()
    got = domain_attention(domains)
    assert not got.requires_grad
    for i, j in itertools.product(range(3), range(4)):
        assert got[i, j].item() == pytest.approx(1 - entropy(domains[i, j].detach()))


def test_undecided_videos_of_an_undecided_domain_have_the_greatest_entropy() -> None:
    got = attentive_entropy(torch.zeros(3, 4), torch.zeros(3, 2))
    assert got.item() == pytest.approx((1 + math.log(2)) * math.log(4))


def test_decided_videos_score_zero_whatever_their_domain() -> None:
    got = attentive_entropy(1000 * torch.eye(4), normal(4, 2).float())
    assert got.item() == pytest.approx(0, abs=1e-6)


def test_attentive_entropy_equals_its_formula() -> None:
    logits, domains = normal(5, 3), normal(5, 2, seed=1)
    rows = zip(logits, domains, strict=True)
    expected = sum((1 + entropy(d)) * entropy(y) for y, d in rows) / 5
    assert attentive_entropy(logits, domains).item() == pytest.approx(expected)


def test_the_gradient_of_attentive_entropy_is_right_and_spares_the_discriminator() -> None:
    domains = normal(5, 2, seed=1).requires_grad_()
    logits = normal(5, 3).requires_grad_()
    assert gradcheck(lambda own: attentive_entropy(own, domains), logits)
    attentive_entropy(logits, domains).backward()
    assert domains.grad is None


def test_attentive_entropy_of_extreme_logits_is_finite_and_so_is_its_gradient() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]]).requires_grad_()
    got = attentive_entropy(logits, torch.tensor([[1e4, -1e4], [0.0, 0.0]]))
    got.backward()
    assert got.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


# Relations


def test_subsets_are_ordered_few_and_even() -> None:
    assert even_subsets(5, 5) == [(0, 1, 2, 3, 4)]
    assert even_subsets(4, 3) == [(0, 1, 2), (0, 2, 3), (1, 2, 3)]
    assert even_subsets(5, 2) == [(0, 1), (1, 2), (2, 3)]
    assert even_subsets(2, 2) == [(0, 1)]


def test_a_video_is_the_sum_of_its_relations_weighed_by_attention() -> None:
    module, clips = ClipRelations(3, 4, 6, 0.5), normal(2, 4, 3).float()
    video, domains = module(clips)
    assert domains.shape == (2, 3, 2)
    expected = torch.zeros(2, 6)
    for k, scale in enumerate((4, 3, 2)):
        relation = torch.zeros(2, 6)
        for subset in even_subsets(4, scale):
            relation += module.relate[k](torch.cat([clips[:, t] for t in subset], dim=1))
        judged = module.judge[k](relation)
        torch.testing.assert_close(domains[:, k], judged)
        expected += (1 + domain_attention(judged))[:, None] * relation
    torch.testing.assert_close(video, expected)


def test_relations_depend_on_the_order_of_the_clips() -> None:
    start = network_of(made())
    backwards = Features(DATA.target.keys, DATA.target.rgb.flip(1), DATA.target.flow.flip(1))
    assert not torch.allclose(predict(start, DATA.target).logits, predict(start, backwards).logits)


def test_a_single_clip_is_refused() -> None:
    with pytest.raises(UserError, match="needs at least 2; found 1"):
        made().network(Shape(8, 3, 1, 1, 0.0), 0)


# The method


def test_it_has_a_discriminator_a_level_and_the_entropy() -> None:
    levels = {"clip_domain", "relation_domain", "video_domain"}
    assert terms(made(), network_of(made())).keys() == {
        "cross_entropy",
        "attentive_entropy",
        *levels,
    }


@pytest.mark.parametrize(
    ("term", "judge"),
    [
        ("clip_domain", "rgb.clip_judge.2.weight"),
        ("relation_domain", "rgb.relations.judge.0.2.weight"),
        ("video_domain", "rgb.video_judge.2.weight"),
    ],
)
def test_the_encoder_ascends_what_a_discriminator_descends(term: str, judge: str) -> None:
    method = made()
    for name, sign in (("rgb.encoder.layers.0.feed_forward_norm.bias", 1), (judge, -1)):
        model = in_a_step(method, network_of(method, dropout=0.0))
        own = model.weights[name].requires_grad_()
        before = method.losses(model, DATA, BATCH)[term]
        before.backward()
        assert own.grad is not None
        again = in_a_step(method, network_of(method, dropout=0.0))
        again.weights[name] = (own - 1e-2 * own.grad / own.grad.norm()).detach()
        change = method.losses(again, DATA, BATCH)[term] - before
        assert sign * change.item() > 0


def test_a_longest_gradient_is_set_unless_one_is_given() -> None:
    assert made().settings(Settings()).clip_norm == 20
    assert made().settings(Settings(clip_norm=5.0)).clip_norm == 5


def test_a_run_trains_every_weight() -> None:
    start = network_of(made())
    run = fit({0: start}, DATA, made(), Settings(epochs=1, batch_size=64))[0]
    before, after = start.state_dict(), run.model.state_dict()
    left = [name for name in before if torch.equal(before[name], after[name])]
    assert not [name for name in left if not name.endswith("key.bias")]  # softmax ignores it
