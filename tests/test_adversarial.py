"""Gradient reversal and the methods behind it: adversarial, MM-SADA, MCD; and AdaBN's refusal."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck
from two_sided import BATCH, DATA, fitted, in_a_step, network, terms

from pipeline.descent import Settings
from pipeline.errors import UserError
from pipeline.joint import JOINT_METHODS, JointMethod, JointWeights
from pipeline.joint.discrepancy import classifier_discrepancy
from pipeline.joint.late_fusion import LateFusionNetwork, classify
from pipeline.joint.mm_sada import correspondence, rotated_half
from pipeline.joint.reversal import ramp, reversed_gradient, two_sample_cross_entropy
from pipeline.joint.training import fit, predict


def made(name: str) -> JointMethod:
    return JOINT_METHODS[name](JointWeights())


# Gradient reversal


def test_reversal_is_the_identity_and_turns_the_gradient_round() -> None:
    values = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    got = reversed_gradient(values, 0.2)
    assert torch.equal(got, values)
    got.square().sum().backward()
    torch.testing.assert_close(values.grad, -0.2 * 2 * values.detach())


def test_reversal_is_the_same_for_each_run_of_a_batched_model() -> None:
    values = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    torch.vmap(lambda own: reversed_gradient(own, 0.5).square().sum())(values).sum().backward()
    torch.testing.assert_close(values.grad, -values.detach())


def test_the_ramp_goes_from_nothing_towards_its_top() -> None:
    assert ramp(0.0, 0.2) == 0
    assert ramp(0.1, 0.2) == pytest.approx(0.2 * math.tanh(0.5))
    assert ramp(1.0, 0.2) == pytest.approx(0.2, rel=1e-4)


# Two samples and their discriminator


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_an_undecided_discriminator_scores_log_2() -> None:
    got = two_sample_cross_entropy(torch.zeros(3, 2), torch.zeros(5, 2))
    assert got.item() == pytest.approx(math.log(2))


def test_a_right_and_sure_discriminator_scores_zero() -> None:
    sure = torch.tensor([[1000.0, 0.0]])
    assert two_sample_cross_entropy(sure, sure.flip(1)).item() == 0


def test_two_sample_cross_entropy_equals_its_formula() -> None:
    one, other = normal(3, 4, 2), normal(2, 4, 2, seed=1)
    total = 0.0
    for logits, k in ((one, 0), (other, 1)):
        for row in logits.reshape(-1, 2):
            total -= math.log(row.softmax(dim=0)[k].item()) / 20
    assert two_sample_cross_entropy(one, other).item() == pytest.approx(total)


def test_the_gradient_of_two_sample_cross_entropy_is_right() -> None:
    samples = normal(3, 4, 2).requires_grad_(), normal(2, 4, 2, seed=1).requires_grad_()
    assert gradcheck(two_sample_cross_entropy, samples)


def test_two_sample_cross_entropy_of_extremes_is_finite() -> None:
    wrong = torch.tensor([[-1e4, 1e4]]).requires_grad_()
    got = two_sample_cross_entropy(wrong, wrong.flip(1))
    got.backward()
    assert got.item() == pytest.approx(2e4)
    assert wrong.grad is not None
    assert wrong.grad.isfinite().all()


# MM-SADA


def gradients(name: str, term: str) -> tuple[float, float]:
    """Change of a term along the gradient step of the network, and of the discriminator."""
    method, start = made(name), network(dropout=0.0)
    model = in_a_step(method, start)
    weight = model.weights["rgb.layers.0.feed_forward_norm.bias"].requires_grad_()
    judge = model.extras[term]["2.weight"].requires_grad_()
    before = method.losses(model, DATA, BATCH)[term]
    before.backward()
    assert weight.grad is not None
    assert judge.grad is not None
    changes = []
    for own in (weight, judge):
        grad, again = own.grad, in_a_step(method, start)
        assert grad is not None
        moved = (own - 1e-2 * grad / grad.norm()).detach()
        if own is weight:
            again.weights["rgb.layers.0.feed_forward_norm.bias"] = moved
            again.extras = model.extras
        else:
            again.extras[term]["2.weight"] = moved
        changes.append((method.losses(again, DATA, BATCH)[term] - before).item())
    return changes[0], changes[1]


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("adversarial", "rgb_domain"),
        ("mm_sada", "rgb_domain"),
        ("contrastive_adversarial", "rgb_domain"),
        ("adversarial_adversarial", "rgb_domain"),
        ("adversarial_adversarial", "source_modality"),
        ("adversarial_adversarial", "target_modality"),
    ],
)
def test_branches_ascend_what_the_discriminator_descends(name: str, term: str) -> None:
    of_branch, of_discriminator = gradients(name, term)
    assert of_branch > 0
    assert of_discriminator < 0


def test_only_the_later_half_is_rotated_by_one() -> None:
    assert rotated_half(torch.arange(7)[:, None])[:, 0].tolist() == [0, 1, 2, 3, 6, 4, 5]
    assert rotated_half(torch.arange(4)[:, None])[:, 0].tolist() == [0, 1, 3, 2]
    assert rotated_half(torch.arange(1)[:, None])[:, 0].tolist() == [0]


def test_correspondence_equals_its_formula() -> None:
    model = in_a_step(made("mm_sada"), network())
    said = predict(network(), DATA.target.select(range(5)))
    flow = [0, 1, 2, 4, 3]
    total = 0.0
    for row, other in enumerate(flow):
        pair = torch.cat([said.rgb[row], said.flow[other]])[None]
        logits = model.extra("correspondence", pair)
        total -= logits.log_softmax(dim=1)[0, int(row < 3)].item() / 5
    assert correspondence(model, said).item() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mm_sada", {"rgb_domain", "flow_domain", "correspondence"}),
        ("adversarial", {"rgb_domain", "flow_domain"}),
        ("mm_sada_without_domain", {"correspondence"}),
        ("mmd", {"rgb_discrepancy", "flow_discrepancy"}),
        ("mcd", {"second_cross_entropy", "agreement"}),
        ("adabn", set()),
    ],
)
def test_a_method_trains_its_parts(name: str, expected: set[str]) -> None:
    start = network(batch_norm=made(name).batch_norm)
    assert terms(made(name), start).keys() == {"cross_entropy"} | expected


# MCD


def test_classifiers_begin_apart_and_their_disagreement_is_the_term() -> None:
    method, start = made("mcd"), network(dropout=0.0)
    model = in_a_step(method, start)
    got = method.losses(model, DATA, BATCH)
    assert -2 / 6 <= got["agreement"] < 0
    assert got["second_cross_entropy"] != got["cross_entropy"]


def test_branches_make_classifiers_agree_and_classifiers_make_themselves_differ() -> None:
    method, start = made("mcd"), network(dropout=0.0)
    model = in_a_step(method, start)
    names = ("rgb.layers.0.feed_forward_norm.bias", "rgb_classifier.weight")
    own = [model.weights[name].requires_grad_() for name in names]
    method.losses(model, DATA, BATCH)["agreement"].backward()

    def disagreement(name: str, step: Tensor) -> float:
        moved = LateFusionNetwork(start.dim, start.classes, layers=1, dropout=0.0)
        state = dict(start.state_dict())
        moved.load_state_dict(state | {name: state[name] + step})
        said = predict(moved, DATA.target.select(BATCH.target))
        second = sum(
            F.linear(part, *(model.extras[f"second_{m}"][k] for k in ("weight", "bias")))
            for m, part in (("rgb", said.rgb), ("flow", said.flow))
        )
        assert isinstance(second, Tensor)
        first = classify(dict(moved.state_dict()), said.rgb, said.flow)
        return classifier_discrepancy(first, second / 2).item()

    changes = []
    for name, weight in zip(names, own, strict=True):
        assert weight.grad is not None
        step = -1e-2 * weight.grad / weight.grad.norm()
        changes.append(disagreement(name, step) - disagreement(name, 0 * step))
    assert changes[0] < 0 < changes[1]


# AdaBN


def test_adabn_refuses_a_network_without_batch_norm_and_says_why() -> None:
    with pytest.raises(UserError, match=r"network has none.*source-only.*batch_norm=True"):
        fit({0: network()}, DATA, made("adabn"), Settings(epochs=1, batch_size=64))


def test_adabn_is_source_only_with_the_targets_statistics() -> None:
    settings = Settings(epochs=1, batch_size=64)
    adapted, source_only = (
        fitted(made(name), settings).model for name in ("adabn", "source_only_batch_norm")
    )
    before, after = source_only.state_dict(), adapted.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        f"{modality}_norm.{part}" for modality in ("rgb", "flow") for part in ("mean", "variance")
    }
    said = predict(adapted, DATA.target)
    torch.testing.assert_close(after["flow_norm.mean"], said.flow_pooled.mean(dim=0))
