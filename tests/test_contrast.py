"""Contrast across modalities and domains, its memory banks, and the method made of both."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck
from two_sided import BATCH, DATA, in_a_step, network, terms

from pipeline.joint import JOINT_METHODS, JointMethod, JointWeights
from pipeline.joint.contrast import (
    cross_domain_contrast,
    cross_modal_contrast,
    pooled_cross_modal_contrast,
)
from pipeline.joint.memory_bank import updated

TAU = 0.1


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(normal(*shape, seed=seed), dim=-1)


def dot(one: Tensor, other: Tensor) -> float:
    return sum(a * b for a, b in zip(one.tolist(), other.tolist(), strict=True))


def made(name: str = "cross_modal_contrastive", **weights: float) -> JointMethod:
    return JOINT_METHODS[name](JointWeights(**weights))


# Across modalities


@pytest.mark.parametrize("loss", [cross_modal_contrast, pooled_cross_modal_contrast])
@pytest.mark.parametrize("tau", [0.1, 0.7])
def test_aligned_modalities_with_orthogonal_negatives_have_a_known_value(
    loss: Callable[..., Tensor], tau: float
) -> None:
    rows = torch.eye(5, dtype=torch.float64)
    got = loss(rows, rows, rows, rows, torch.arange(5), tau)
    assert got.item() == pytest.approx(math.log(1 + 4 * math.exp(-1 / tau)))


@pytest.mark.parametrize("loss", [cross_modal_contrast, pooled_cross_modal_contrast])
def test_a_bank_of_one_video_scores_zero(loss: Callable[..., Tensor]) -> None:
    row = unit(1, 4)
    assert loss(row, -row, row, row, torch.zeros(1, dtype=torch.long), TAU).item() == 0


def test_cross_modal_contrast_equals_its_formula() -> None:
    rgb, flow, rgb_bank, flow_bank = unit(3, 4), unit(3, 4, seed=1), unit(6, 4), unit(6, 4, seed=3)
    videos, total = torch.tensor([5, 0, 2]), 0.0
    for anchors, bank in ((rgb, flow_bank), (flow, rgb_bank)):
        for anchor, own in zip(anchors, videos.tolist(), strict=True):
            likeness = [math.exp(dot(anchor, row) / TAU) for row in bank]
            total -= math.log(likeness[own] / sum(likeness)) / 6
    got = cross_modal_contrast(rgb, flow, rgb_bank, flow_bank, videos, TAU)
    assert got.item() == pytest.approx(total)


def test_cross_modal_contrast_is_symmetric_in_the_modalities() -> None:
    rgb, flow, rgb_bank, flow_bank = unit(3, 4), unit(3, 4, seed=1), unit(6, 4), unit(6, 4, seed=3)
    videos = torch.tensor([1, 2, 3])
    one = cross_modal_contrast(rgb, flow, rgb_bank, flow_bank, videos, TAU)
    other = cross_modal_contrast(flow, rgb, flow_bank, rgb_bank, videos, TAU)
    torch.testing.assert_close(one, other)


def test_the_gradient_of_cross_modal_contrast_is_right() -> None:
    videos = torch.tensor([1, 2, 3])

    def loss(rgb: Tensor, flow: Tensor) -> Tensor:
        return cross_modal_contrast(rgb, flow, unit(6, 4), unit(6, 4, seed=3), videos, TAU)

    assert gradcheck(loss, (unit(3, 4).requires_grad_(), unit(3, 4, seed=1).requires_grad_()))


# The same with one logarithm


def test_pooled_contrast_equals_its_formula() -> None:
    rgb, flow, rgb_bank, flow_bank = unit(3, 4), unit(3, 4, seed=1), unit(6, 4), unit(6, 4, seed=3)
    videos, total = torch.tensor([5, 0, 2]), 0.0
    for anchors, bank in ((rgb, flow_bank), (flow, rgb_bank)):
        positives = everything = 0.0
        for anchor, own in zip(anchors, videos.tolist(), strict=True):
            positives += math.exp(dot(anchor, bank[own]) / TAU)
            everything += sum(math.exp(dot(anchor, row) / TAU) for row in bank)
        total -= math.log(positives / everything) / 2
    got = pooled_cross_modal_contrast(rgb, flow, rgb_bank, flow_bank, videos, TAU)
    assert got.item() == pytest.approx(total)


def test_the_gradient_of_pooled_contrast_is_right() -> None:
    videos = torch.tensor([1, 2, 3])

    def loss(rgb: Tensor, flow: Tensor) -> Tensor:
        return pooled_cross_modal_contrast(rgb, flow, unit(6, 4), unit(6, 4, seed=3), videos, 0.5)

    assert gradcheck(loss, (unit(3, 4).requires_grad_(), unit(3, 4, seed=1).requires_grad_()))


def test_pooled_contrast_at_a_tiny_temperature_is_finite_and_so_is_its_gradient() -> None:
    row = torch.tensor([[1.0, 0.0]])
    anchor, bank = row.clone().requires_grad_(), torch.cat([-row, row])
    got = pooled_cross_modal_contrast(anchor, anchor, bank, bank, torch.tensor([0]), 1e-6)
    got.backward()
    assert got.item() == pytest.approx(2e6)
    assert anchor.grad is not None
    assert anchor.grad.isfinite().all()


def test_a_hard_anchor_beside_an_easy_one_gets_less_gradient_with_one_logarithm() -> None:
    bank, videos = torch.eye(2), torch.tensor([0, 1])
    shares = []
    for loss in (cross_modal_contrast, pooled_cross_modal_contrast):
        anchors = F.normalize(torch.tensor([[1.0, 0.0], [0.6, 0.5]]), dim=1).requires_grad_()
        loss(anchors, bank, bank, bank, videos, TAU).backward()
        assert anchors.grad is not None
        shares.append(anchors.grad[1].norm().item())
    assert shares[1] < shares[0] / 2


@pytest.mark.parametrize("domain", ["source", "target"])
def test_negatives_never_cross_domains(domain: str) -> None:
    model = in_a_step(made(), network())
    method = made()
    before = method.losses(model, DATA, BATCH)
    other = "target" if domain == "source" else "source"
    changed = {
        name: torch.zeros_like(bank) if name.startswith(other) else bank
        for name, bank in model.state.items()
    }
    again = in_a_step(made(), network())
    again.state = changed
    after = method.losses(again, DATA, BATCH)
    assert torch.equal(before[f"modality_{domain}"], after[f"modality_{domain}"])
    assert not torch.equal(before[f"modality_{other}"], after[f"modality_{other}"])


# Across domains


def test_cross_domain_contrast_equals_its_formula() -> None:
    anchors, bank = unit(4, 5), unit(7, 5, seed=1)
    labels, classes = torch.tensor([0, 1, 1, 2, 2, 2, 0]), torch.tensor([0, 1, 2, 1])
    accepted = torch.tensor([True, False, True, True])
    total = 0.0
    for anchor, k, sure in zip(anchors, classes.tolist(), accepted.tolist(), strict=True):
        likeness = [math.exp(dot(anchor, row) / TAU) for row in bank]
        of_class = [x for x, y in zip(likeness, labels.tolist(), strict=True) if y == k]
        total -= sure * math.log(sum(of_class) / sum(likeness)) / 3
    got = cross_domain_contrast(anchors, classes, accepted, bank, labels, TAU)
    assert got.item() == pytest.approx(total)


def test_an_anchor_on_its_class_with_the_other_opposite_has_a_known_value() -> None:
    bank = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    anchor, yes = torch.tensor([[1.0, 0.0]]), torch.tensor([True])
    got = cross_domain_contrast(anchor, torch.tensor([0]), yes, bank, torch.tensor([0, 1]), 1.0)
    assert got.item() == pytest.approx(math.log(1 + math.exp(-2)))


@pytest.mark.parametrize(
    ("classes", "accepted"), [([0, 1], [False, False]), ([5, 5], [True, True])]
)
def test_without_an_accepted_anchor_the_loss_is_zero_and_has_a_gradient(
    classes: list[int], accepted: list[bool]
) -> None:
    anchors = unit(2, 4).requires_grad_()
    labels = torch.tensor([0, 1, 1])
    got = cross_domain_contrast(
        anchors, torch.tensor(classes), torch.tensor(accepted), unit(3, 4), labels, TAU
    )
    got.backward()
    assert got.item() == 0
    assert anchors.grad is not None
    assert torch.equal(anchors.grad, torch.zeros_like(anchors))


def test_a_bank_of_the_anchors_class_alone_scores_zero() -> None:
    labels = torch.zeros(6, dtype=torch.long)
    yes = torch.ones(3, dtype=torch.bool)
    got = cross_domain_contrast(unit(3, 4), labels[:3], yes, unit(6, 4, seed=1), labels, TAU)
    assert got.item() == pytest.approx(0, abs=1e-12)


def test_the_gradient_of_cross_domain_contrast_is_right() -> None:
    labels, classes = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2])
    accepted = torch.tensor([True, True, False])

    def loss(anchors: Tensor) -> Tensor:
        return cross_domain_contrast(anchors, classes, accepted, unit(4, 5), labels, TAU)

    assert gradcheck(loss, unit(3, 5, seed=1).requires_grad_())


@pytest.mark.parametrize("loss", ["modal", "domain"])
def test_opposite_rows_at_a_tiny_temperature_keep_value_and_gradient_finite(loss: str) -> None:
    row = torch.tensor([[1.0, 0.0]])
    bank = torch.cat([-row, row])
    anchor, zero = row.clone().requires_grad_(), torch.tensor([0])
    if loss == "modal":
        got = cross_modal_contrast(anchor, anchor, bank, bank, zero, 1e-6)
    else:
        labels = torch.tensor([0, 1])
        got = cross_domain_contrast(anchor, zero, torch.tensor([True]), bank, labels, 1e-6)
    got.backward()
    assert got.item() == pytest.approx(2e6)
    assert anchor.grad is not None
    assert anchor.grad.isfinite().all()


# Memory banks


def test_a_row_becomes_half_of_itself_and_half_of_the_feature_then_length_one() -> None:
    bank = torch.eye(4)
    moved = updated(bank, torch.tensor([2]), torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    torch.testing.assert_close(moved[2], torch.tensor([0.5, 0.0, 0.5, 0.0]) * math.sqrt(2))


def test_only_rows_of_the_batch_change_and_all_keep_length_one() -> None:
    bank, videos = unit(6, 5), torch.tensor([4, 1])
    moved = updated(bank, videos, 30 * normal(2, 5, seed=1))
    others = [0, 2, 3, 5]
    assert torch.equal(moved[others], bank[others])
    assert not torch.isclose(moved[videos], bank[videos]).all(dim=1).any()
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(6, dtype=torch.float64))


def test_the_length_of_a_feature_does_not_matter() -> None:
    bank, videos, features = unit(6, 5), torch.tensor([4, 1]), normal(2, 5, seed=1)
    torch.testing.assert_close(
        updated(bank, videos, features), updated(bank, videos, 100 * features)
    )


# The method


def test_banks_move_to_the_features_that_the_step_saw() -> None:
    method, model = made(), in_a_step(made(), network())
    method.losses(model, DATA, BATCH)
    state = method.after_step(model, BATCH)
    assert state.keys() == {"source_rgb", "source_flow", "target_rgb", "target_flow"}
    for name, videos in (("source_flow", BATCH.source), ("target_rgb", BATCH.target)):
        expected = updated(model.state[name], videos, model.kept[name])
        assert torch.equal(state[name], expected)
        assert not model.kept[name].requires_grad


CONTRASTS = {"modality_source", "modality_target"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cross_modal_contrastive", CONTRASTS | {"domain"}),
        ("contrastive_modality_only", CONTRASTS),
        ("contrastive_domain_only", {"domain"}),
        ("contrastive_without_head", CONTRASTS),
        ("contrastive_head_in_both", CONTRASTS | {"domain"}),
        ("contrastive_same_windows", CONTRASTS | {"domain"}),
        ("contrastive_with_pseudo_labels", CONTRASTS | {"pseudo_label"}),
        ("contrastive_as_published", CONTRASTS | {"domain"}),
        ("contrastive_literal", CONTRASTS | {"domain"}),
        ("contrastive_adversarial", CONTRASTS | {"rgb_domain", "flow_domain"}),
        (
            "adversarial_adversarial",
            {"source_modality", "target_modality", "rgb_domain", "flow_domain"},
        ),
        ("pseudo_labelling", {"pseudo_label"}),
    ],
)
def test_an_ablation_has_its_terms(name: str, expected: set[str]) -> None:
    assert terms(made(name), network()).keys() == {"cross_entropy"} | expected


def test_the_head_is_there_where_it_is_wanted() -> None:
    heads = {name: bool(made(name).extras(network(), 0)) for name in JOINT_METHODS}
    assert heads["cross_modal_contrastive"]
    assert heads["contrastive_head_in_both"]
    assert not heads["contrastive_domain_only"]
    assert not heads["contrastive_without_head"]
    assert "head" in made("contrastive_adversarial").extras(network(), 0)
    assert "head" not in made("adversarial_adversarial").extras(network(), 0)


def test_without_a_contrast_there_are_no_banks() -> None:
    assert in_a_step(made("adversarial_adversarial"), network()).state == {}


def test_the_head_changes_only_the_contrast_that_sees_it() -> None:
    headed, both, bare = (
        terms(made(name, threshold=0.0), network())
        for name in (
            "cross_modal_contrastive",
            "contrastive_head_in_both",
            "contrastive_without_head",
        )
    )
    assert torch.equal(headed["modality_source"], both["modality_source"])
    assert not torch.equal(headed["domain"], both["domain"])
    assert not torch.equal(headed["modality_source"], bare["modality_source"])


def test_the_threshold_decides_which_videos_have_a_pseudo_label() -> None:
    assert terms(made(threshold=1.0), network())["domain"] == 0
    assert terms(made(threshold=0.0), network())["domain"] > 0


def test_the_head_does_not_begin_as_a_layer_of_the_network() -> None:
    start = network()
    first = made().extras(start, 0)["head"].module.state_dict()["0.weight"]
    same_shape = [weight for weight in start.state_dict().values() if weight.shape == first.shape]
    assert same_shape
    assert not [weight for weight in same_shape if torch.equal(weight, first)]


def test_the_head_trains_with_the_network() -> None:
    model = in_a_step(made(), network())
    weight = model.extras["head"]["0.weight"].requires_grad_()
    sum(made().losses(model, DATA, BATCH).values(), torch.zeros(())).backward()
    assert weight.grad is not None
    assert weight.grad.square().sum() > 0
