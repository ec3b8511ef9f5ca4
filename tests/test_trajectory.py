"""What every epoch's model predicts, kept for rules of reporting that look at several epochs."""

from pathlib import Path

import pytest
import torch

from pipeline import trajectory
from pipeline.errors import UserError


def tables() -> dict[int, torch.Tensor]:
    return {
        seed: torch.arange(12, dtype=torch.int16).view(3, 4) + seed % 5
        for seed in (10, 2, 2**32 - 1)
    }


def test_the_predictions_of_every_seed_come_back(tmp_path: Path) -> None:
    trajectory.save(tmp_path / "t.safetensors", tables())
    loaded = trajectory.load(tmp_path / "t.safetensors")
    assert loaded.keys() == tables().keys()
    assert all(torch.equal(loaded[seed], table) for seed, table in tables().items())
    assert {table.dtype for table in loaded.values()} == {torch.int16}


def test_the_same_predictions_give_the_same_bytes(tmp_path: Path) -> None:
    trajectory.save(tmp_path / "a", tables())
    trajectory.save(tmp_path / "b", dict(reversed(tables().items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("content", [b"", b"\x08" + bytes(20), b"no tensors" * 20, None])
def test_a_missing_or_damaged_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "t").write_bytes(content)
    with pytest.raises(UserError, match=r"t: cannot be read .*`dvc repro` makes it"):
        trajectory.load(tmp_path / "t")
