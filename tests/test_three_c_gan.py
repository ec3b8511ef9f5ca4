from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from one_run import adapt, pretrain
from one_step import in_a_step
from torch import Tensor
from two_domains import two_domains

from pipeline.descent import Settings
from pipeline.methods import Batch, Weights
from pipeline.methods.adversaries import Discriminator, Generator, adversaries, halves
from pipeline.methods.three_c_gan import ThreeCGan
from pipeline.model import Model
from pipeline.network import RelationNetwork
from pipeline.prediction import predict

FEATURES = two_domains(seed=0, videos=(12, 12))[1].features
NETWORK = RelationNetwork(FEATURES.dim, 6, layers=1)
BATCH = Batch(torch.tensor([3, 7, 1, 2]), torch.tensor([0, 9, 4, 5]), torch.zeros(4))
SMALL = ThreeCGan(Weights(), hidden=16, noise=4)


def started(method: ThreeCGan = SMALL, progress: float = 0.5) -> Model:
    """In a step whose weights want gradients, and are no longer those of the source model."""
    model = in_a_step(method, NETWORK, FEATURES)
    model.progress = progress
    model.weights = {
        name: (weight + 0.01).requires_grad_(not name.startswith(method.frozen))
        for name, weight in model.weights.items()
    }
    for own in model.extras.values():
        for weight in own.values():
            weight.requires_grad_()
    return model


def losses(method: ThreeCGan = SMALL, model: Model | None = None) -> dict[str, Tensor]:
    model = model or started(method)
    memory = method.remember(predict(NETWORK, FEATURES), model.state)
    return method.losses(model, FEATURES, BATCH, memory)


def reached(model: Model, loss: Tensor) -> set[str]:
    """Whose weights a loss moves."""
    groups: Mapping[str, Mapping[str, Tensor]] = {"model": model.weights, **model.extras}
    loss.backward(retain_graph=True)
    found = set()
    for group, weights in groups.items():
        gradients = [weight.grad for weight in weights.values()]
        if any(gradient is not None and gradient.any() for gradient in gradients):
            found.add(group)
        for weight in weights.values():
            weight.grad = None
    return found


# What each term is for


def test_every_term_reaches_the_weights_that_it_is_for_and_no_others() -> None:
    model = started()
    assert {name: reached(model, loss) for name, loss in losses(model=model).items()} == {
        "discrimination": {"discriminator"},
        "deception": {"generator"},
        "semantic": {"generator"},
        "made_videos": {"model"},
        "anchor": {"model"},
        "entropy": {"model"},
        "imbalance": {"model"},
        "steadiness": {"model"},
    }


@pytest.mark.parametrize(
    ("weight", "terms"),
    [
        ("semantic", {"semantic"}),
        ("made", {"made_videos"}),
        ("anchor", {"anchor"}),
        ("clustering", {"entropy", "imbalance", "steadiness"}),
        ("balance", {"imbalance"}),
    ],
)
def test_a_weight_scales_its_terms_alone(weight: str, terms: set[str]) -> None:
    one, two = (
        losses(replace(SMALL, **{weight: value}))  # type: ignore[arg-type]
        for value in (0.5, 1.0)
    )
    for name, value in one.items():
        torch.testing.assert_close(two[name], value * (2 if name in terms else 1))


def test_made_videos_count_little_by_little() -> None:
    at = [losses(model=started(progress=share))["made_videos"].item() for share in (0, 0.1, 0.2, 1)]
    assert at[0] == 0
    assert at[1] == pytest.approx(at[2] / 2)
    assert at[3] == at[2] > 0


# The model


def test_the_source_model_is_no_distance_from_itself() -> None:
    model = in_a_step(SMALL, NETWORK, FEATURES)
    assert losses(model=model)["anchor"].item() == 0


def test_a_strong_anchor_keeps_the_model_near_the_source_model() -> None:
    def distance(anchor: float) -> float:
        method = ThreeCGan(Weights(), hidden=16, anchor=anchor)
        model = adapt(NETWORK, FEATURES, method, Settings(epochs=20), seed=0).model
        pairs = zip(model.parameters(), NETWORK.parameters(), strict=True)
        return sum((one - other).square().sum().item() for one, other in pairs)

    assert distance(10.0) < distance(0.0) / 2


def test_steadiness_grows_with_the_radius() -> None:
    near, far = (
        losses(ThreeCGan(Weights(), hidden=16, radius=radius))["steadiness"].item()
        for radius in (0.01, 0.1)
    )
    assert 0 < near < far


# The adversaries


def test_the_generator_makes_non_negative_clips_of_the_class_it_is_told() -> None:
    generator = Generator(noise=4, classes=3, hidden=16, clips=5, dim=7)
    noise, classes = torch.randn(1, 4).expand(3, 4), torch.tensor([0, 1, 1])
    made = generator(noise, classes)
    assert made.shape == (3, 5, 14)
    assert (made >= 0).all()
    torch.testing.assert_close(made[1], made[2])
    assert not torch.allclose(made[0], made[1])


def test_the_discriminator_does_not_see_the_order_of_the_clips() -> None:
    discriminator = Discriminator(hidden=16, dim=7)
    clips = torch.randn(3, 5, 14)
    assert discriminator(clips).shape == (3,)
    torch.testing.assert_close(discriminator(clips), discriminator(clips.flip(1)))


def test_adversaries_follow_their_seed_and_leave_the_global_numbers_alone() -> None:
    def weights(seed: int) -> Tensor:
        modules = adversaries(NETWORK, 5, noise=4, hidden=16, seed=seed)
        return torch.cat([p.detach().flatten() for m in modules.values() for p in m.parameters()])

    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    one = weights(0)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one, weights(0))
    assert not torch.equal(one, weights(1))


def test_halves_are_rgb_and_flow() -> None:
    rgb, flow = halves(torch.cat([FEATURES.rgb, FEATURES.flow], dim=2))
    assert torch.equal(rgb, FEATURES.rgb)
    assert torch.equal(flow, FEATURES.flow)


def test_the_generator_learns_to_make_what_the_model_recognises() -> None:
    source = two_domains(seed=0, videos=(60, 12))[0]
    settings = Settings(epochs=8, batch_size=12)
    model = pretrain(NETWORK, source.features, source.labels, settings, 0).model
    method = ThreeCGan(Weights(), hidden=256, adam_lr=1e-3, semantic=20.0)
    rows = adapt(model, FEATURES, method, Settings(epochs=40, lr=1e-4), seed=0).rows
    assert rows[-1]["semantic_loss"] < 0.75 * rows[1]["semantic_loss"]
