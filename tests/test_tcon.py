"""TCoN: co-attention of a source and a target video, and the method made of it."""

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from two_sided import BATCH, DATA, in_a_step, network_of, terms

from pipeline.joint import JOINT_METHODS, JointMethod, JointWeights
from pipeline.joint.co_attention import aligned, co_attention, looked_at


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def made() -> JointMethod:
    return JOINT_METHODS["tcon"](JointWeights())


# Co-attention


def test_attention_between_orthogonal_clips_of_length_one_has_a_known_value() -> None:
    clips = torch.eye(4)[None]
    got = co_attention(clips, clips)[0]
    alike, unlike = math.exp(0.5), 1.0
    torch.testing.assert_close(got.diagonal(), torch.full((4,), alike / (alike + 3 * unlike)))


def test_a_single_source_clip_gets_all_the_attention() -> None:
    source, target = normal(2, 1, 4), normal(2, 3, 4, seed=1)
    assert torch.equal(co_attention(source, target), torch.ones_like(target[:, :, :1]))


def test_co_attention_equals_its_formula() -> None:
    source, target = normal(2, 3, 4), normal(2, 5, 4, seed=1)
    got = co_attention(source, target)
    for i in range(2):
        for t in range(5):
            exponentials = [math.exp(float(target[i, t] @ clip) / 2) for clip in source[i]]
            expected = [value / sum(exponentials) for value in exponentials]
            assert got[i, t].tolist() == pytest.approx(expected)


def test_the_gradient_of_co_attention_is_right() -> None:
    source, target = normal(2, 3, 4).requires_grad_(), normal(2, 5, 4, seed=1).requires_grad_()
    assert gradcheck(co_attention, (source, target))


def test_co_attention_of_extreme_clips_is_finite_and_so_is_its_gradient() -> None:
    source = torch.tensor([[[1e4, 0.0], [-1e4, 0.0]]]).requires_grad_()
    got = co_attention(source, source.detach())
    got[:, 0, 0].sum().backward()
    torch.testing.assert_close(got.detach()[0], torch.eye(2))
    assert source.grad is not None
    assert source.grad.isfinite().all()


def test_a_reversed_video_is_put_in_the_other_s_order() -> None:
    target = 10 * torch.eye(4)[None]
    source = target.flip(1)
    attention = co_attention(source, target)
    torch.testing.assert_close(aligned(source, attention), target, atol=1e-4, rtol=0)
    torch.testing.assert_close(looked_at(source, attention), source.mean(dim=1))


# The method


def test_it_has_its_terms() -> None:
    expected = {"cross_entropy", "rgb_sequence", "flow_sequence", "co_attended"}
    assert terms(made(), network_of(made())).keys() == expected


@pytest.mark.parametrize("own", ["network", "judge"])
def test_the_encoder_ascends_what_the_discriminator_descends(own: str) -> None:
    method, name = made(), "rgb.layers.0.feed_forward_norm.bias"
    start = network_of(method, dropout=0.0)
    model, again = in_a_step(method, start), in_a_step(method, start)
    held, key = (
        (lambda m: m.weights, name)
        if own == "network"
        else (lambda m: m.extras["rgb_sequence"], "2.weight")
    )
    weight = held(model)[key].requires_grad_()
    before = method.losses(model, DATA, BATCH)["rgb_sequence"]
    before.backward()
    assert weight.grad is not None
    held(again)[key] = (weight - 1e-2 * weight.grad / weight.grad.norm()).detach()
    change = method.losses(again, DATA, BATCH)["rgb_sequence"] - before
    assert (change > 0) == (own == "network")


def test_discriminators_read_the_clips_in_their_order() -> None:
    start = network_of(made())
    judge = made().extras(start, 0)["rgb_sequence"].module
    assert judge(torch.zeros(2, 5 * start.dim)).shape == (2, 2)
