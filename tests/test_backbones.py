"""The door to the backbones: building, loading, provenance."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline import backbones
from pipeline.backbones import packed
from pipeline.backbones.folding import fold_batchnorm
from pipeline.backbones.frozen import FrozenUnit
from pipeline.backbones.i3d import I3D
from pipeline.errors import UserError


@pytest.fixture
def trained(tmp_path: Path) -> tuple[I3D, Path]:
    """An i3d_nano for 5 classes whose batch norms have seen data, and its folder."""
    torch.manual_seed(0)
    network = I3D(3, width=0.25, classes=5).train()
    with torch.no_grad():
        network(torch.rand(4, 3, 8, 32, 32))
    folder = tmp_path / "i3d_nano"
    folder.mkdir()
    save_file(network.state_dict(), folder / "rgb.safetensors")
    return network.eval(), folder


def change(path: Path, **new: Tensor) -> None:
    save_file({**load_file(path), **{k.replace("__", "."): v for k, v in new.items()}}, path)


@pytest.mark.parametrize("name", get_args(backbones.Name))
@pytest.mark.parametrize("stream", get_args(backbones.Stream))
def test_stated_dim_is_that_of_the_network(name: backbones.Name, stream: backbones.Stream) -> None:
    network = backbones.build(name, stream).eval()
    channels = {"rgb": 3, "flow": 2}[stream]
    with torch.inference_mode():
        features = network(torch.zeros(2, channels, 2, 32, 32))
    assert features.shape == (2, backbones.dim(name))


def test_loaded_network_gives_the_features_of_the_trained_one(trained: tuple[I3D, Path]) -> None:
    network, folder = trained
    clips = torch.rand(3, 3, 8, 48, 48) * 2 - 1
    loaded = backbones.load("i3d_nano", "rgb", folder)
    with torch.inference_mode():
        expected = network(clips)
        found = loaded(clips)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max().item())


def test_loaded_network_is_ready_for_inference(trained: tuple[I3D, Path]) -> None:
    loaded = backbones.load("i3d_nano", "rgb", trained[1])
    assert not any(module.training for module in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert not any(isinstance(module, nn.BatchNorm3d) for module in loaded.modules())


@pytest.mark.parametrize("count", [1, 5, 10])
def test_form_for_a_cpu_gives_the_features_of_the_trained_one(
    count: int, trained: tuple[I3D, Path]
) -> None:
    network, folder = trained
    clips = torch.rand(count, 3, 16, 48, 48) * 2 - 1
    frozen = backbones.for_cpu(backbones.load("i3d_nano", "rgb", folder))
    assert any(isinstance(module, FrozenUnit) for module in frozen.modules())
    with torch.inference_mode():
        expected = network(clips)
        assert (frozen(clips) - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("error", [AttributeError, RuntimeError, None])
def test_form_for_a_cpu_without_its_operators_is_the_loaded_network(
    error: type[Exception] | None, trained: tuple[I3D, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operators that are not there, that refuse, and that compute something else."""

    def convolve(_: object, x: Tensor) -> Tensor:
        if error is not None:
            raise error
        return x

    packed.available.cache_clear()
    monkeypatch.setattr(packed.PackedConvolution, "__call__", convolve)
    network = backbones.load("i3d_nano", "rgb", trained[1])
    assert backbones.for_cpu(network) is network
    packed.available.cache_clear()


def test_resnet_has_one_form(tmp_path: Path) -> None:
    network = fold_batchnorm(backbones.build("i3d_r50", "flow"))
    clips = torch.rand(1, 2, 4, 32, 32)
    with torch.inference_mode():
        assert torch.equal(backbones.for_cpu(network)(clips), network(clips))


def test_loading_leaves_the_random_generator_alone(trained: tuple[I3D, Path]) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    backbones.load("i3d_nano", "rgb", trained[1])
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("name", ["i3d", "i3d_r50"])
def test_missing_weights_name_the_command_that_fetches_them(
    name: backbones.Name, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=rf"python -m pipeline\.backbones\.weights {name}`"):
        backbones.load(name, "rgb", tmp_path)


def test_missing_nano_weights_are_to_be_restored(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"flow\.safetensors.*part of this repository"):
        backbones.load("i3d_nano", "flow", tmp_path)


def test_weights_of_another_network_are_refused(trained: tuple[I3D, Path]) -> None:
    with pytest.raises(UserError, match=r"rgb\.safetensors does not hold the rgb weights of i3d:"):
        backbones.load("i3d", "rgb", trained[1])


def test_other_types_are_refused(trained: tuple[I3D, Path]) -> None:
    change(trained[1] / "rgb.safetensors", logits__conv3d__bias=torch.zeros(5).half())
    with pytest.raises(UserError, match=r"expected float32, found torch\.float16 at logits"):
        backbones.load("i3d_nano", "rgb", trained[1])


def test_damaged_weights_are_refused(trained: tuple[I3D, Path]) -> None:
    path = trained[1] / "rgb.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match="is no safetensors file"):
        backbones.load("i3d_nano", "rgb", trained[1])


def test_digest_changes_with_any_weight_and_with_nothing_else(trained: tuple[I3D, Path]) -> None:
    folder = trained[1]
    before = backbones.digest(folder)
    (folder / "origin.json").write_text("{}")
    assert backbones.digest(folder) == before
    change(folder / "rgb.safetensors", logits__conv3d__bias=torch.zeros(5))
    after = backbones.digest(folder)
    assert after != before
    (folder / "rgb.safetensors").rename(folder / "flow.safetensors")
    assert backbones.digest(folder) not in (before, after)


def test_digest_of_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no \*\.safetensors"):
        backbones.digest(tmp_path)


def test_import_is_light() -> None:
    code = "import sys, pipeline.backbones; print(*{'torch', 'pytorchvideo'} & set(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == ""
