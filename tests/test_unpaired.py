import pytest
import torch

from pipeline.methods import METHODS, Batch, Memory, Weights
from pipeline.methods.unpaired import Unpaired, unpaired_batches


def unpaired(count: int, batch_size: int, seed: int = 0) -> list[Batch]:
    generator = torch.Generator().manual_seed(seed)
    return list(unpaired_batches(count, batch_size, generator, torch.device("cpu")))


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"), [(10, 4, [4, 4, 2]), (9, 4, [4, 4]), (3, 4, [3])]
)
def test_an_epoch_shows_every_video_once_and_no_video_alone(
    count: int, batch_size: int, sizes: list[int]
) -> None:
    batches = unpaired(count, batch_size)
    assert [len(batch.videos) for batch in batches] == sizes
    shown = torch.cat([batch.videos for batch in batches]).tolist()
    assert len(set(shown)) == len(shown)
    assert set(shown) <= set(range(count))
    assert all(len(batch.low) == len(batch.draws) == 0 for batch in batches)


def test_the_order_follows_the_generator() -> None:
    one, same, other = (unpaired(20, 20, seed)[0].videos for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", ["shot_official", "cleanadapt", "cleanadapt_teacher"])
def test_a_method_without_pairs_sees_all_videos(name: str) -> None:
    method = METHODS[name](Weights())
    assert isinstance(method, Unpaired)
    few = torch.arange(9)
    memory = Memory(few, few[:4], few[4:])
    batches = method.batches(memory, 3, torch.Generator().manual_seed(2))
    shown = [batch.videos.tolist() for batch in batches]
    assert shown == [batch.videos.tolist() for batch in unpaired(9, 3, seed=2)]
