"""Models on disk: every bit comes back, and what does not fit is refused with a reason."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from pipeline import checkpoints
from pipeline.checkpoints import Card
from pipeline.errors import UserError
from pipeline.network import RelationNetwork

FEATURES = {
    "version": 1,
    "features": {"backbone": "i3d_nano", "precision": "float32"},
    "frames": {"clips": {"segments": 5, "windows": 1}},
}
LOG = [{"seed": 0, "epoch": 1, "cross_entropy": 0.5}]


def card(**changed: Any) -> Card:
    shape = {"classes": ("jump, high", "run", "Ärger"), "dim": 8, "layers": 2, "dropout": 0.3}
    return Card(**{**shape, "features": FEATURES, **changed})


def models(*seeds: int) -> dict[int, RelationNetwork]:
    return {seed: card().new_network(seed).eval() for seed in seeds}


def saved(folder: Path, **changed: Any) -> Path:
    checkpoints.save(folder, models(0, 7, 4294967295), card(**changed), LOG)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_weight_comes_back_to_the_bit_in_eval_mode(tmp_path: Path) -> None:
    _, loaded = checkpoints.load(saved(tmp_path / "model"))
    assert sorted(loaded) == [0, 7, 4294967295]
    for seed, model in loaded.items():
        expected = models(seed)[seed].state_dict()
        assert model.state_dict().keys() == expected.keys()
        assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())
        assert not model.training


def test_the_card_comes_back(tmp_path: Path) -> None:
    loaded, _ = checkpoints.load(saved(tmp_path / "model"))
    assert loaded == card()


def test_the_same_models_give_the_same_bytes_whatever_their_order(tmp_path: Path) -> None:
    first = content_of(saved(tmp_path / "a"))
    backwards = dict(reversed(models(0, 7, 4294967295).items()))
    checkpoints.save(tmp_path / "b", backwards, card(), LOG)
    assert content_of(tmp_path / "b") == first
    assert content_of(saved(tmp_path / "a")) == first


def test_whoever_may_read_the_card_may_read_the_weights(tmp_path: Path) -> None:
    modes = {path.stat().st_mode for path in saved(tmp_path / "model").iterdir()}
    assert len(modes) == 1


def test_training_mode_and_gradients_leave_no_trace(tmp_path: Path) -> None:
    trained = models(0)
    trained[0].train()(torch.ones(2, 5, 8), torch.ones(2, 5, 8)).logits.sum().backward()
    checkpoints.save(tmp_path / "a", trained, card(), LOG)
    checkpoints.save(tmp_path / "b", models(0), card(), LOG)
    assert content_of(tmp_path / "a") == content_of(tmp_path / "b")


def test_fewer_seeds_leave_no_old_file_behind(tmp_path: Path) -> None:
    saved(tmp_path / "model")
    checkpoints.save(tmp_path / "model", models(7), card(), LOG)
    names = sorted(content_of(tmp_path / "model"))
    assert names == ["card.json", "seed-7.safetensors", "training.csv"]


def test_the_card_can_be_read_by_people(tmp_path: Path) -> None:
    text = (saved(tmp_path / "model") / "card.json").read_text(encoding="utf-8")
    assert '"Ärger"' in text
    assert json.loads(text)["seeds"] == [0, 7, 4294967295]
    assert text.count("\n") > 10


def test_each_stage_adds_what_it_did(tmp_path: Path) -> None:
    first = card().trained("pretrain", source="studio", lr=0.01)
    second = first.trained("adapt", target="street", warnings={0: ["class 1 vanished"]})
    checkpoints.save(tmp_path / "model", models(0), second, LOG)
    loaded, _ = checkpoints.load(tmp_path / "model")
    assert loaded.training == {
        "pretrain": {"source": "studio", "lr": 0.01},
        "adapt": {"target": "street", "warnings": {"0": ["class 1 vanished"]}},
    }
    assert card().training == {}


# features that do not fit


def test_features_of_the_same_origin_fit(tmp_path: Path) -> None:
    loaded, _ = checkpoints.load(saved(tmp_path / "model"))
    loaded.require_features(json.loads(json.dumps(FEATURES)), Path("x"))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (
            {**FEATURES, "features": {"backbone": "i3d", "precision": "float32"}},
            "features.backbone: the model expects 'i3d_nano', data/features/street has 'i3d'",
        ),
        (
            {**FEATURES, "frames": {"clips": {"segments": 8, "windows": 1}}},
            "frames.clips.segments: the model expects 5, data/features/street has 8",
        ),
        (
            {**FEATURES, "flow": {"bound": 20}},
            "flow.bound: the model expects None, data/features/street has 20",
        ),
        (
            {"version": 1, "features": FEATURES["features"]},
            "frames.clips.segments: the model expects 5, data/features/street has None",
        ),
    ],
)
def test_features_of_another_origin_are_refused_and_what_differs_is_named(
    other: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        card().require_features(other, Path("data/features/street"))
    lines = str(caught.value).splitlines()
    assert f"  {expected}" in lines
    assert not any("precision" in line for line in lines)


# files that do not fit


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        checkpoints.load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99])
def test_weights_that_were_cut_off_are_refused(share: float, tmp_path: Path) -> None:
    path = saved(tmp_path / "model") / "seed-7.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "seed-7.safetensors: does not fit its card.json" in refused(tmp_path / "model")


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "executed",)

    path = saved(tmp_path / "model") / "seed-7.safetensors"
    for content in (pickle.dumps(Trap()), pickle.dumps({"weights": Trap()})):
        path.write_bytes(content)
        assert "seed-7.safetensors: does not fit" in refused(tmp_path / "model")
    torch.save(models(7)[7].state_dict(), path)
    assert "seed-7.safetensors: does not fit" in refused(tmp_path / "model")
    assert not (tmp_path / "executed").exists()


def test_a_missing_seed_is_named(tmp_path: Path) -> None:
    (saved(tmp_path / "model") / "seed-7.safetensors").unlink()
    assert "seed-7.safetensors" in refused(tmp_path / "model")


def test_a_missing_model_says_what_makes_it(tmp_path: Path) -> None:
    assert "model: no model there; `dvc repro` makes it" in refused(tmp_path / "model")


@pytest.mark.parametrize("change", [{"dim": 16}, {"layers": 3}, {"layers": 1}, {"classes": ["a"]}])
def test_weights_of_another_shape_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = saved(tmp_path / "model") / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert "seed-0.safetensors: does not fit its card.json" in refused(tmp_path / "model")


def test_a_tensor_too_many_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "model") / "seed-0.safetensors"
    weights = safetensors.torch.load_file(path)
    safetensors.torch.save_file({**weights, "more": torch.ones(2)}, path)
    assert "more" in refused(tmp_path / "model")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"seeds": [0]}', '{"seeds": [0], "classes": ["a"], "new": 1}']
)
def test_another_card_is_refused(text: str, tmp_path: Path) -> None:
    (saved(tmp_path / "model") / "card.json").write_text(text)
    assert "card.json: not a model card of this version" in refused(tmp_path / "model")


def test_a_card_in_no_known_encoding_is_refused(tmp_path: Path) -> None:
    (saved(tmp_path / "model") / "card.json").write_bytes(b"\xff\xfe{")
    assert "card.json: not a model card of this version" in refused(tmp_path / "model")
