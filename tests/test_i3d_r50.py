"""I3D ResNet-50: truly run through pytorchvideo, with and without torchvision."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.backbones.folding import fold_batchnorm
from pipeline.backbones.i3d_r50 import I3DR50, STEM, flow_from_rgb
from pipeline.backbones.torchvision_stand_in import MODULES, torchvision_supplied
from pipeline.errors import UserError


def clips(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="module")
def rgb() -> I3DR50:
    torch.manual_seed(0)
    return I3DR50(3).eval()


@pytest.fixture(scope="module")
def flow() -> I3DR50:
    torch.manual_seed(0)
    return I3DR50(2).eval()


def test_parameters_are_as_many_as_pytorchvideo_reports(rgb: I3DR50) -> None:
    assert sum(p.numel() for p in rgb.parameters()) == 28_043_472


@pytest.mark.parametrize("size", [(4, 32, 32), (2, 17, 33), (5, 48, 64)], ids=str)
def test_clips_of_any_size_give_2048_values(rgb: I3DR50, size: tuple[int, int, int]) -> None:
    with torch.inference_mode():
        features = rgb(clips(2, 3, *size))
    assert features.shape == (2, rgb.dim) == (2, 2048)
    assert torch.isfinite(features).all()


def test_features_are_what_the_head_of_pytorchvideo_projects(rgb: I3DR50) -> None:
    from pytorchvideo.models.hub.resnet import i3d_r50

    theirs = i3d_r50(head_pool_kernel_size=(2, 1, 1)).eval()
    theirs.load_state_dict(rgb.state_dict(), strict=True)
    x = clips(2, 3, 4, 32, 32)
    pixels = (x + 1) / 2
    with torch.inference_mode():
        expected = theirs((pixels - 0.45) / 0.225)
        found = rgb.blocks[-1].proj(rgb(x))  # type: ignore[operator]
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_no_motion_stays_zero(flow: I3DR50) -> None:
    seen: list[Tensor] = []
    hook = flow.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        flow(torch.zeros(1, 2, 2, 32, 32))
    hook.remove()
    assert not seen[0].any()


def test_flow_stem_is_the_mean_of_the_rgb_stem(rgb: I3DR50, flow: I3DR50) -> None:
    before = rgb.state_dict()
    state = flow_from_rgb(before)
    flow.load_state_dict(state, strict=True)
    assert state[STEM].shape == (64, 2, 5, 7, 7)
    assert torch.equal(state[STEM][:, 0], before[STEM].mean(dim=1))
    assert torch.equal(state[STEM][:, 1], before[STEM].mean(dim=1))
    assert all(torch.equal(state[key], before[key]) for key in before if key != STEM)


def test_folded_equals_unfolded(rgb: I3DR50) -> None:
    x = clips(2, 3, 4, 32, 32)
    with torch.inference_mode():
        expected = rgb(x)
        found = fold_batchnorm(rgb)(x)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max().item())


@pytest.mark.parametrize("shape", [(3, 4, 32, 32), (1, 2, 4, 32, 32), (1, 3, 4, 0, 32)], ids=str)
def test_other_shapes_are_refused(rgb: I3DR50, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(n, 3, t, h, w\).*found"):
        rgb(torch.zeros(shape))


def test_a_single_frame_is_refused(rgb: I3DR50) -> None:
    with pytest.raises(ValueError, match="at least 2 frames; found 1"):
        rgb(torch.zeros(1, 3, 1, 32, 32))


# -- torchvision's stand-in


def loaded() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "torchvision"]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No module of torchvision is loaded; afterwards all is as it was."""
    for name in loaded():
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in loaded():
        del sys.modules[name]


@pytest.fixture
def missing(clean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)  # what import takes for "not there"


def package(folder: Path, first_line: str) -> None:
    for module in MODULES:
        path = folder.joinpath(*module.split("."))
        path.mkdir(parents=True, exist_ok=True)
        (path / "__init__.py").write_text(
            f"{first_line}\nRoIAlign = make_dataset = 'the real one'\n"
        )


def test_pytorchvideo_imports_without_torchvision(missing: None) -> None:
    with torchvision_supplied():
        head = importlib.reload(importlib.import_module("pytorchvideo.models.head"))
        importlib.import_module("pytorchvideo.data.labeled_video_paths")
    with pytest.raises(UserError, match="needs torchvision"):
        head.RoIAlign(output_size=7, spatial_scale=1.0, sampling_ratio=0)


def test_stand_in_is_gone_after_the_import(missing: None) -> None:
    with torchvision_supplied():
        assert set(MODULES) == set(loaded())
        assert all(sys.modules[name].__spec__ is not None for name in MODULES)
    assert not loaded()


def test_stand_in_is_gone_after_a_failed_import(missing: None) -> None:
    with pytest.raises(KeyError), torchvision_supplied():
        raise KeyError
    assert not loaded()


def test_torchvision_built_for_another_torch_is_replaced(
    clean: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    with torchvision_supplied():
        assert sys.modules["torchvision.ops"].RoIAlign != "the real one"
    assert not loaded()


def test_torchvision_that_works_is_left_alone(
    clean: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "")
    monkeypatch.syspath_prepend(tmp_path)
    with torchvision_supplied():
        assert sys.modules["torchvision.ops"].RoIAlign == "the real one"
    assert set(loaded()) == set(MODULES)
