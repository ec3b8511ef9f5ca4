"""Networks that read clips one by one: encoder and weighted mean; what cards make of them."""

from pathlib import Path

import pytest
import torch
from two_sided import CLASSES, DATA, TARGET, network, network_of

from pipeline import checkpoints
from pipeline.descent import Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.joint import JOINT_METHODS, JointWeights
from pipeline.joint.card import JointCard
from pipeline.joint.clip_network import ClipNetwork, attended
from pipeline.joint.shape import JointNetwork, Shape
from pipeline.joint.training import fit, predict

SHAPE = Shape(DATA.target.dim, CLASSES, DATA.target.clips, layers=1, dropout=0.0)


def test_even_attention_says_what_the_late_fusion_network_says() -> None:
    late, clips = network(), ClipNetwork(SHAPE, "even")
    clips.load_state_dict(late.state_dict())
    torch.testing.assert_close(
        predict(clips, DATA.target).logits, predict(late, DATA.target).logits
    )


def test_a_clip_of_all_the_attention_is_the_video() -> None:
    clips = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    scores = torch.full((4, 5), -1e4)
    scores[:, 2] = 1e4
    torch.testing.assert_close(attended(clips, scores), clips[:, 2])


def test_learnt_attention_begins_even() -> None:
    said = predict(ClipNetwork(SHAPE, "learnt"), DATA.target)
    assert torch.equal(said.rgb_scores, torch.zeros(len(DATA.target), SHAPE.clips))
    torch.testing.assert_close(said.rgb, said.rgb_clips.mean(dim=1))


@pytest.mark.parametrize("name", ["ta3n", "sava", "tcon"])
def test_features_of_another_number_of_clips_are_refused(name: str) -> None:
    method = JOINT_METHODS[name](JointWeights())
    rgb, flow = TARGET.features.rgb[:, :3], TARGET.features.flow[:, :3]
    fewer = Features(TARGET.features.keys, rgb, flow)
    with pytest.raises(UserError, match="3 clips a video, the network reads 5"):
        fit({0: network_of(method)}, DATA._replace(target=fewer), method, Settings(epochs=1))


@pytest.mark.parametrize("name", JOINT_METHODS)
def test_a_saved_model_loads_again_with_its_card(name: str, tmp_path: Path) -> None:
    classes = tuple(f"class {k}" for k in range(CLASSES))
    card = JointCard(classes, SHAPE.dim, 1, 0.3, {}, method=name, clips=SHAPE.clips)
    start = card.new_network(seed=3)
    checkpoints.save(tmp_path / "models", {3: start}, card, [{"seed": 3, "epoch": 1}])
    again, models = checkpoints.load_as(JointCard, tmp_path / "models")
    assert again == card
    loaded = models[3]
    assert isinstance(loaded, JointNetwork)
    assert torch.equal(predict(loaded, DATA.target).logits, predict(start, DATA.target).logits)


def test_a_card_of_an_unknown_method_is_refused() -> None:
    with pytest.raises(UserError, match="method 'mystery' is none of this version"):
        JointCard(("a", "b"), 8, 1, 0.3, {}, method="mystery", clips=5)
