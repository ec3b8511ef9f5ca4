"""Inception-v1 I3D: published names, "same" padding, the network against its definition."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from published_checkpoints import i3d_checkpoint, i3d_convolutions
from torch import Tensor, nn

from pipeline.backbones.folding import fold_batchnorm
from pipeline.backbones.i3d import I3D, MaxPool3dSame, Unit3D, same_padding

STRIDES = {"Conv3d_1a_7x7": 2}
POOLS = {
    "Conv3d_1a_7x7": ((1, 3, 3), (1, 2, 2)),
    "Conv3d_2c_3x3": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3c": ((3, 3, 3), (2, 2, 2)),
    "Mixed_4f": ((2, 2, 2), (2, 2, 2)),
}


def random_statistics(model: I3D) -> I3D:
    draw = torch.Generator().manual_seed(5)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            for values in (module.weight.data, module.running_var):
                assert values is not None
                values.copy_(torch.rand(values.shape, generator=draw) + 0.5)
            for values in (module.bias.data, module.running_mean):
                assert values is not None
                values.copy_(torch.randn(values.shape, generator=draw) / 5)
    return model


def clips(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def small(in_channels: int = 3, width: float = 0.25) -> I3D:
    torch.manual_seed(0)
    return I3D(in_channels, width=width, classes=7)


# -- names and sizes


@pytest.mark.parametrize("in_channels", [3, 2])
@pytest.mark.parametrize("batches_tracked", [True, False])
def test_published_checkpoints_load_strictly(in_channels: int, batches_tracked: bool) -> None:
    state = i3d_checkpoint(in_channels, batches_tracked=batches_tracked)
    network = I3D(in_channels)
    network.load_state_dict(state, strict=True)
    assert torch.equal(network.state_dict()["Mixed_4e.b2b.bn.bias"], state["Mixed_4e.b2b.bn.bias"])


@pytest.mark.parametrize(("in_channels", "trunk"), [(3, 12_287_264), (2, 12_265_312)])
def test_parameters_are_as_many_as_the_architecture_has(in_channels: int, trunk: int) -> None:
    layers = i3d_convolutions(in_channels).values()
    assert sum(out * (ins * kernel**3 + 2) for out, ins, kernel in layers) == trunk
    found = sum(p.numel() for p in I3D(in_channels).parameters())
    assert found == trunk + 1024 * 400 + 400


@pytest.mark.parametrize("in_channels", [3, 2])
def test_maps_of_16_frames_of_224_pixels_have_the_published_sizes(in_channels: int) -> None:
    network = I3D(in_channels, width=0.125).eval()
    sizes: dict[str, list[int]] = {}
    for name, layer in network.named_children():
        layer.register_forward_hook(
            lambda _, __, maps, name=name: sizes.update({name: list(maps.shape[2:])})
        )
    with torch.inference_mode():
        network(clips(1, in_channels, 16, 224, 224))
    assert sizes["Conv3d_1a_7x7"] == [8, 112, 112]
    assert sizes["MaxPool3d_2a_3x3"] == sizes["Conv3d_2c_3x3"] == [8, 56, 56]
    assert sizes["MaxPool3d_3a_3x3"] == sizes["Mixed_3c"] == [8, 28, 28]
    assert sizes["MaxPool3d_4a_3x3"] == sizes["Mixed_4f"] == [4, 14, 14]
    assert sizes["MaxPool3d_5a_2x2"] == sizes["Mixed_5c"] == [2, 7, 7]


def test_features_of_the_full_width_have_1024_values() -> None:
    network = I3D(3).eval()
    with torch.inference_mode():
        assert network(clips(2, 3, 8, 32, 32)).shape == (2, network.dim) == (2, 1024)


@pytest.mark.parametrize(("width", "dim"), [(0.25, 256), (0.5, 512), (1.0, 1024)])
def test_width_multiplies_the_feature(width: float, dim: int) -> None:
    assert I3D(3, width=width).dim == dim


@pytest.mark.parametrize("width", [0.01, 0.25, 0.3, 1.5])
def test_every_width_keeps_the_names_and_multiples_of_8_channels(width: float) -> None:
    network = I3D(3, width=width)
    assert network.state_dict().keys() == i3d_checkpoint(3).keys()
    for name, (outputs, _, _) in i3d_convolutions(3).items():
        found = network.get_parameter(f"{name}.conv3d.weight").shape[0]
        assert found % 8 == 0
        assert found >= 8
        assert found == 8 or abs(found - outputs * width) <= 4


# -- "same" padding


def padding_by_definition(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize("kernel", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_follows_the_definition(kernel: int, stride: int) -> None:
    for size in range(1, 60):
        assert same_padding(size, kernel, stride) == padding_by_definition(size, kernel, stride)


def windows(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Zero-padded windows, one by one: (c, t', h', w', kernel...)."""
    axes = list(zip(x.shape[1:], kernel, stride, strict=True))
    pads = [padding_by_definition(*axis) for axis in axes]
    padded = torch.zeros(x.shape[0], *(s + sum(p) for s, p in zip(x.shape[1:], pads, strict=True)))
    inner = [slice(p[0], p[0] + s) for s, p in zip(x.shape[1:], pads, strict=True)]
    padded[:, inner[0], inner[1], inner[2]] = x
    counts = [math.ceil(size / step) for size, _, step in axes]
    out = torch.empty(x.shape[0], *counts, *kernel)
    for place in itertools.product(*map(range, counts)):
        cut = [slice(i * s, i * s + k) for i, k, s in zip(place, kernel, stride, strict=True)]
        out[:, place[0], place[1], place[2]] = padded[:, cut[0], cut[1], cut[2]]
    return out


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (7, 2)])
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 5, 8), (3, 4, 7), (9, 6, 3), (8, 10, 11)])
def test_convolution_equals_its_sum_over_padded_windows(
    kernel: int, stride: int, size: tuple[int, int, int]
) -> None:
    torch.manual_seed(0)
    unit = Unit3D(2, 3, kernel, stride)
    unit.bn = nn.Identity()
    x = torch.rand(2, *size)
    each = windows(x, (kernel,) * 3, (stride,) * 3)
    expected = torch.einsum("cthwijk,ocijk->othw", each, unit.conv3d.weight).relu()
    assert torch.allclose(unit(x[None])[0], expected, atol=1e-5)


@pytest.mark.parametrize(("kernel", "stride"), [*POOLS.values(), ((3, 3, 3), (1, 1, 1))], ids=str)
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 5, 8), (3, 4, 7), (9, 6, 3)])
def test_pooling_equals_the_maximum_over_zero_padded_windows(
    kernel: tuple[int, int, int], stride: tuple[int, int, int], size: tuple[int, int, int]
) -> None:
    x = torch.randn(2, *size, generator=torch.Generator().manual_seed(0)).relu()
    expected = windows(x, kernel, stride).amax(dim=(4, 5, 6))
    assert torch.equal(MaxPool3dSame(kernel, stride)(x[None])[0], expected)


# -- the network against its definition


def padded(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    axes = zip(x.shape[2:], kernel, stride, strict=True)
    pads = [padding_by_definition(*axis) for axis in axes]
    return F.pad(x, [zeros for pair in reversed(pads) for zeros in pair])


def unit_by_definition(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    weight = state[f"{name}.conv3d.weight"]
    stride = STRIDES.get(name, 1)
    x = F.conv3d(padded(x, weight.shape[2:], (stride,) * 3), weight, stride=stride)
    values = [state[f"{name}.bn.{key}"] for key in ("running_mean", "running_var")]
    mean, var = (v[:, None, None, None] for v in values)
    scale, shift = (state[f"{name}.bn.{key}"][:, None, None, None] for key in ("weight", "bias"))
    return ((x - mean) / torch.sqrt(var + 0.001) * scale + shift).relu()


def block_by_definition(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    def unit(branch: str, x: Tensor) -> Tensor:
        return unit_by_definition(state, f"{name}.{branch}", x)

    pooled = F.max_pool3d(padded(x, (3, 3, 3), (1, 1, 1)), 3, 1)
    branches = [unit("b0", x), unit("b1b", unit("b1a", x)), unit("b2b", unit("b2a", x))]
    return torch.cat([*branches, unit("b3b", pooled)], dim=1)


def maps_by_definition(state: dict[str, Tensor], x: Tensor) -> Tensor:
    names = dict.fromkeys(key.partition(".")[0] for key in i3d_convolutions(3))
    for name in names:
        mixed = name.startswith("Mixed")
        x = (block_by_definition if mixed else unit_by_definition)(state, name, x)
        if name in POOLS:
            kernel, stride = POOLS[name]
            x = F.max_pool3d(padded(x, kernel, stride), kernel, stride)
    return x


@pytest.mark.parametrize("size", [(16, 64, 64), (9, 37, 50), (1, 33, 32)], ids=str)
def test_network_equals_its_definition(size: tuple[int, int, int]) -> None:
    network = random_statistics(small()).eval()
    with torch.inference_mode():
        found = network.maps(clips(1, 3, *size))
        expected = maps_by_definition(network.state_dict(), clips(1, 3, *size))
    assert (
        found.shape
        == expected.shape
        == (1, 256, *(math.ceil(s / d) for s, d in zip(size, (8, 32, 32), strict=True)))
    )
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max().item())


def test_features_are_the_mean_over_all_positions() -> None:
    network = random_statistics(small()).eval()
    x = clips(2, 3, 16, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(network(x), network.maps(x).flatten(2).mean(dim=2))


def test_logits_are_the_mean_of_the_classifier_over_all_positions() -> None:
    network = random_statistics(small()).eval()
    x = clips(2, 3, 16, 64, 64)
    with torch.inference_mode():
        expected = network.logits(network.maps(x)).mean(dim=(2, 3, 4))
        assert torch.allclose(network.classify(x), expected, atol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    network = small().train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.eval()
    x = clips(2, 3, 8, 32, 32)
    with torch.inference_mode():
        assert not torch.equal(network.classify(x), network.classify(x))
        network.eval()
        assert torch.equal(network.classify(x), network.classify(x))


def test_gradients_reach_every_parameter() -> None:
    network = small(in_channels=2).train()
    F.cross_entropy(network.classify(clips(4, 2, 8, 32, 32)), torch.arange(4)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_a_clip_gives_the_same_feature_alone_and_in_a_batch() -> None:
    network = random_statistics(small()).eval()
    x = clips(3, 3, 8, 40, 40)
    with torch.inference_mode():
        each = torch.cat([network(clip[None]) for clip in x])
        assert torch.allclose(network(x), each, rtol=1e-4, atol=1e-6)


def test_a_single_pixel_is_enough() -> None:
    with torch.inference_mode():
        assert torch.isfinite(small().eval()(clips(1, 3, 1, 1, 1))).all()


@pytest.mark.parametrize("shape", [(3, 16, 64, 64), (1, 2, 16, 64, 64), (1, 3, 0, 64, 64)], ids=str)
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(n, 3, t, h, w\).*found"):
        small()(torch.zeros(shape))


# -- folding


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last_3d], ids=str)
def test_folded_equals_unfolded(memory: torch.memory_format) -> None:
    network = random_statistics(small()).eval()
    x = clips(2, 3, 16, 64, 64)
    folded = fold_batchnorm(network).to(memory_format=memory)  # type: ignore[call-overload]
    with torch.inference_mode():
        expected = network(x)
        assert torch.allclose(folded(x), expected, rtol=1e-4, atol=1e-6 * expected.max().item())
        assert torch.equal(folded(x), folded(x))
    assert not any(isinstance(module, nn.BatchNorm3d) for module in folded.modules())


def test_folding_leaves_the_model_as_it_was() -> None:
    network = random_statistics(small()).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = fold_batchnorm(network)
    assert not folded.training
    assert network.training
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_folding_refuses_a_normalisation_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="1"):
        fold_batchnorm(nn.Sequential(nn.Conv3d(3, 8, 1), nn.BatchNorm3d(8)))
