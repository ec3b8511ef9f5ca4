"""The form of the I3D for a GPU, on any device: other operations, equal features."""

import pytest
import torch
from torch import Tensor, nn

from pipeline import backbones
from pipeline.backbones.folding import fold_batchnorm
from pipeline.backbones.i3d import I3D, POOLS, MaxPool3dSame, Unit3D
from pipeline.backbones.on_gpu import BlockStem, TwoPools

LAST = torch.channels_last_3d
SIZES = [(16, 64, 64), (5, 33, 38), (1, 7, 2)]


def drawn(*shape: int) -> Tensor:
    made = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    return made.contiguous(memory_format=LAST)


def lively(module: nn.Module) -> nn.Module:
    """Weights at which maps neither vanish nor explode; batch norms that do something."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.Conv3d):
            nn.init.kaiming_normal_(part.weight, generator=generator)
        if isinstance(part, nn.BatchNorm3d):
            nn.init.normal_(part.bias, std=0.2, generator=generator)
    return fold_batchnorm(module).requires_grad_(False)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [2, 3])
def test_stem_of_blocks_is_the_convolution_of_stride_2(
    channels: int, size: tuple[int, int, int]
) -> None:
    unit = lively(Unit3D(channels, 8, kernel=7, stride=2))
    assert isinstance(unit, Unit3D)
    expected = unit(drawn(2, channels, *size))
    found = BlockStem(unit)(drawn(2, channels, *size))
    assert expected.amax() > 0.5
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [*POOLS.values(), ((3, 3, 3), (1, 1, 1))])
def test_two_pools_are_one_and_keep_channels_last(
    kind: tuple[tuple[int, int, int], tuple[int, int, int]], size: tuple[int, int, int]
) -> None:
    maps, pool = drawn(2, 8, *size).relu(), MaxPool3dSame(*kind)
    found = TwoPools(pool)(maps)
    assert torch.equal(found, pool(maps))
    assert found.is_contiguous(memory_format=LAST)


@pytest.mark.parametrize("channels", [2, 3])
def test_network_gives_equal_features_and_stays_as_it_was(channels: int) -> None:
    network = lively(I3D(channels, width=0.25, classes=1))
    fast = backbones.for_gpu(network)
    kinds = {type(module) for module in fast.modules()}
    assert {BlockStem, TwoPools} <= kinds
    assert MaxPool3dSame not in kinds
    assert not any(isinstance(module, BlockStem) for module in network.modules())
    clips = drawn(2, channels, 8, 48, 40)
    expected = network(clips)
    assert float((fast(clips) - expected).norm() / expected.norm()) < 1e-5
