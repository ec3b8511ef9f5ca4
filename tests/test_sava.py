"""SAVA: the target of clip attention, clips in a random order, and the method made of both."""

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from two_sided import BATCH, DATA, in_a_step, network_of, terms

from pipeline.descent import Settings
from pipeline.joint import JOINT_METHODS, JointMethod, JointWeights
from pipeline.joint.clip_attention import attention_loss
from pipeline.joint.clip_order import orders, shuffled
from pipeline.joint.shape import Shape
from pipeline.joint.training import fit, predict
from pipeline.noise import Noise


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def made() -> JointMethod:
    return JOINT_METHODS["sava"](JointWeights())


# Clip attention


def test_even_scores_score_log_t() -> None:
    got = attention_loss(torch.zeros(2, 5), normal(2, 5, 3).float(), torch.tensor([0, 2]))
    assert got.item() == pytest.approx(math.log(5))


def test_one_clip_scores_zero() -> None:
    assert attention_loss(normal(2, 1), normal(2, 1, 3), torch.tensor([0, 2])).item() == 0


def test_attention_loss_equals_its_formula() -> None:
    scores, logits, labels = normal(3, 4), normal(3, 4, 5, seed=1), [4, 0, 0]
    total = 0.0
    for row, clips, label in zip(scores, logits, labels, strict=True):
        right = [clip.softmax(dim=0)[label].item() for clip in clips]
        looks = row.softmax(dim=0).tolist()
        total -= sum(p / sum(right) * math.log(a) for p, a in zip(right, looks, strict=True)) / 3
    assert attention_loss(scores, logits, torch.tensor(labels)).item() == pytest.approx(total)


def test_the_gradient_of_attention_is_right_and_spares_the_clips() -> None:
    logits = normal(3, 4, 5).requires_grad_()
    scores, labels = normal(3, 4, seed=1).requires_grad_(), torch.tensor([4, 0, 0])
    assert gradcheck(lambda own: attention_loss(own, logits, labels), scores)
    attention_loss(scores, logits, labels).backward()
    assert logits.grad is None


def test_attention_of_extremes_is_finite_and_so_is_its_gradient() -> None:
    scores = torch.tensor([[1e4, -1e4], [-1e4, 1e4]]).requires_grad_()
    logits = torch.tensor([[[1e4, -1e4], [-1e4, 1e4]]] * 2)
    got = attention_loss(scores, logits, torch.tensor([0, 0]))
    got.backward()
    assert got.isfinite()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_a_step_down_moves_attention_to_the_clip_that_knows_its_class() -> None:
    scores = torch.zeros(1, 3).requires_grad_()
    logits = torch.tensor([[[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]]])
    attention_loss(scores, logits, torch.tensor([0])).backward()
    assert scores.grad is not None
    assert scores.grad.argmin().item() == 1


# Clip order


def numbered(videos: int, clips: int) -> Tensor:
    return torch.arange(clips).float().expand(videos, clips)[:, :, None]


def test_the_number_says_in_which_order_the_clips_stand() -> None:
    mixed, number = shuffled(numbered(600, 5), Noise(torch.tensor(0), torch.device("cpu")))
    assert mixed.shape == (600, 3, 1)
    ranks = mixed.squeeze(2).argsort(dim=1).argsort(dim=1).tolist()
    found = {(int(k), tuple(row)) for k, row in zip(number, ranks, strict=True)}
    assert len(found) == orders(5) == 6  # a number an order, an order a number
    assert number.bincount(minlength=6).min() > 60  # 100 each are to be expected
    assert len(mixed.unique()) == 5


def test_a_video_of_two_clips_has_two_orders() -> None:
    mixed, number = shuffled(numbered(50, 2), Noise(torch.tensor(0), torch.device("cpu")))
    assert orders(2) == 2
    assert torch.equal(mixed[:, 0, 0], number.float())


# The method


def test_it_has_its_terms_in_either_modality() -> None:
    kinds = ("domain", "attention", "order")
    expected = {f"{modality}_{kind}" for modality in ("rgb", "flow") for kind in kinds}
    assert terms(made(), network_of(made())).keys() == {"cross_entropy"} | expected


def test_the_attention_learns_from_the_source_alone() -> None:
    start, method = network_of(made(), dropout=0.0), made()
    other = DATA._replace(target=DATA.target.select(torch.arange(len(DATA.target)).flip(0)))
    one, changed = (method.losses(in_a_step(method, start), data, BATCH) for data in (DATA, other))
    assert torch.equal(one["rgb_attention"], changed["rgb_attention"])
    assert not torch.equal(one["rgb_domain"], changed["rgb_domain"])


def test_trained_attention_is_no_longer_even_and_weighs_the_prediction() -> None:
    run = fit({0: network_of(made())}, DATA, made(), Settings(epochs=4, batch_size=64))[0]
    said = predict(run.model, DATA.target)
    assert said.rgb_scores.std(dim=1).max() > 1e-3
    shares = said.rgb_scores.softmax(dim=1)[:, :, None]
    torch.testing.assert_close(said.rgb, (shares * said.rgb_clips).sum(dim=1))


def test_a_single_clip_a_video_is_enough() -> None:
    start = made().network(Shape(DATA.source.dim, 6, 1, 1, 0.0), 0)
    heads = made().extras(start, 0)
    assert heads["rgb_order"].module(torch.zeros(2, DATA.source.dim)).shape == (2, 1)
