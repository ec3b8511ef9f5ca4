"""The form of the I3D for a CPU: packed convolutions, few products along time, equal features."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.backbones import frozen
from pipeline.backbones.folding import fold_batchnorm
from pipeline.backbones.frozen import FrozenUnit, freeze
from pipeline.backbones.i3d import I3D
from pipeline.backbones.packed import PackedConvolution
from pipeline.backbones.winograd import TILE, TimeWinograd, transforms

LAST = torch.channels_last_3d


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def clips(*shape: int) -> Tensor:
    return drawn(*shape).clamp(-1, 1).contiguous(memory_format=LAST)


def trained(in_channels: int = 3, width: float = 0.25) -> I3D:
    """Weights of a size at which maps neither vanish nor explode, and lively batch norms."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = I3D(in_channels, width=width, classes=1)
        for module in model.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, nn.BatchNorm3d):
                assert module.running_mean is not None
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
                nn.init.normal_(module.running_mean, std=0.2)
    return model.eval().requires_grad_(False)


def apart(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


# -- the transforms


@pytest.mark.parametrize(("m", "r"), [(4, 3), (4, 4), (2, 3), (1, 3), (3, 2), (4, 1)])
def test_transforms_compute_a_filter_in_as_many_products_as_points(m: int, r: int) -> None:
    outputs, inputs, taps = transforms(m, r)
    x, w = drawn(m + r - 1).double().numpy(), drawn(r).double().numpy()
    assert len(taps) == len(inputs) == m + r - 1
    found = outputs @ ((taps @ w) * (inputs @ x))
    assert found == pytest.approx(np.correlate(x, w, "valid"), abs=1e-12)


def test_first_point_reaches_each_output_once() -> None:
    """There the bias is added."""
    for r in (3, 4):
        assert (transforms(TILE, r)[0][:, 0] == 1).all()


# -- the convolutions


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 7, 8, 9])
@pytest.mark.parametrize("count", [1, 3])
def test_convolution_of_stride_1_along_time(frames: int, count: int) -> None:
    x, weight, bias = clips(count, 5, frames, 6, 7), drawn(11, 5, 3, 3, 3), drawn(11)
    found = TimeWinograd(weight, bias, stride=1, padding=1)(x)
    assert apart(found, F.conv3d(x, weight, bias, padding=1).relu()) < 2e-6
    assert found.is_contiguous(memory_format=LAST)


@pytest.mark.parametrize("frames", [7, 8, 9, 13, 14, 21, 22])
@pytest.mark.parametrize("channels", [2, 3])
def test_convolution_of_stride_2_along_time(frames: int, channels: int) -> None:
    x, weight, bias = clips(2, channels, frames, 17, 20), drawn(8, channels, 7, 7, 7), drawn(8)
    found = TimeWinograd(weight, bias, stride=2, padding=0)(x)
    assert apart(found, F.conv3d(x, weight, bias, stride=2).relu()) < 2e-6
    assert found.is_contiguous(memory_format=LAST)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(1, 1, 0), (3, 1, 1), (7, 2, 0)])
def test_packed_convolution(kernel: int, stride: int, padding: int, relu: bool) -> None:
    weight, bias = drawn(8, 3, *[kernel] * 3), drawn(8)
    packed = PackedConvolution(
        weight, bias, stride=(stride,) * 3, padding=(padding,) * 3, relu=relu
    )
    for size in ((8, 9, 10), (7, 12, 8)):
        x = clips(2, 3, *size)
        expected = F.conv3d(x, weight, bias, stride, padding)
        assert apart(packed(x), expected.relu() if relu else expected) < 2e-6
        assert packed(x).is_contiguous(memory_format=LAST)


def test_packed_convolution_gives_the_same_bits_whatever_came_before() -> None:
    weight, x, others = drawn(32, 32, 3, 3, 3), clips(5, 32, 4, 7, 7), clips(3, 32, 2, 9, 9)

    def fresh() -> PackedConvolution:
        return PackedConvolution(weight, None, stride=(1,) * 3, padding=(1,) * 3, relu=True)

    used = fresh()
    used(others)
    used(x[:1])
    assert torch.equal(used(x), fresh()(x))


# -- the network


@pytest.fixture(params=["direct", "along time"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All convolutions one way or, as far as there are frames enough, the other."""
    kind: str = request.param
    monkeypatch.setattr(frozen, "MANY", 0 if kind == "along time" else 2**60)
    return kind


@pytest.mark.parametrize("in_channels", [3, 2])
@pytest.mark.parametrize("size", [(16, 64, 64), (17, 37, 50), (9, 33, 40), (1, 33, 32)], ids=str)
def test_frozen_equals_the_plain_network(
    size: tuple[int, int, int], in_channels: int, form: str
) -> None:
    network, x = trained(in_channels), clips(2, in_channels, *size)
    fast = freeze(fold_batchnorm(network))
    with torch.inference_mode():
        assert apart(fast(x), network(x)) < 1e-5
        assert fast.maps(x).is_contiguous(memory_format=LAST)  # type: ignore[operator]
    used = {name for m in fast.modules() if isinstance(m, FrozenUnit) for name in vars(m)}
    assert ("along_time" in used) == (form == "along time" and size[0] > 4)


@pytest.mark.parametrize("count", [1, 5, 10])
def test_a_clip_has_the_same_bits_alone_and_in_a_batch(count: int, form: str) -> None:
    fast, x = freeze(fold_batchnorm(trained())), clips(count, 3, 16, 48, 48)
    with torch.inference_mode():
        together = fast(x)
        assert torch.equal(together, torch.cat([fast(clip[None]) for clip in x]))
        assert torch.equal(together, fast(x))
        assert torch.equal(together, freeze(fold_batchnorm(trained()))(x))


def test_full_width_and_size_equal_the_plain_network() -> None:
    network, x = trained(width=1), clips(1, 3, 16, 224, 224)
    with torch.inference_mode():
        assert apart(freeze(fold_batchnorm(network))(x), network(x)) < 1e-5


def test_large_convolutions_need_fewer_products() -> None:
    unit = freeze(fold_batchnorm(I3D(3))).get_submodule
    large = {
        "Conv3d_1a_7x7": (21, 229, 229),
        "Conv3d_2c_3x3": (8, 56, 56),
        "Mixed_3c.b1b": (8, 28, 28),
        "Mixed_4f.b1b": (4, 14, 14),
    }
    small = {
        "Conv3d_2b_1x1": (8, 56, 56),
        "Mixed_4b.b2b": (4, 14, 14),
        "Mixed_5c.b1b": (2, 7, 7),
    }
    for name, sizes in {**large, **small}.items():
        chosen = unit(name).convolution(torch.Size(sizes))  # type: ignore[operator]
        assert isinstance(chosen, TimeWinograd) == (name in large), name


def test_freezing_leaves_the_network_as_it_was() -> None:
    folded = fold_batchnorm(trained())
    before = {name: value.clone() for name, value in folded.state_dict().items()}
    freeze(folded)
    assert not any(isinstance(module, FrozenUnit) for module in folded.modules())
    assert folded.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in folded.state_dict().items())


def test_batch_norm_is_to_be_folded_first() -> None:
    with pytest.raises(ValueError, match="fold the batch normalisation first"):
        freeze(trained())
