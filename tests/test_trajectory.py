"""What every epoch's model predicts, kept for rules of reporting that look at several epochs."""

from pathlib import Path

import pytest
import torch
from two_domains import two_domains

from pipeline import training, trajectory
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.network import RelationNetwork


def small() -> Features:
    return two_domains(0, videos=(12, 7))[1].features


def network(seed: int) -> RelationNetwork:
    return RelationNetwork(small().dim, 6, layers=1, seed=seed).eval()


def test_each_epoch_is_a_row_of_class_numbers() -> None:
    recorder = trajectory.Recorder(small())
    for epoch in range(3):
        recorder(epoch, network(epoch))
    predicted = recorder.predicted()
    assert predicted.shape == (3, 7)
    assert predicted.dtype == torch.int16
    for epoch in range(3):
        expected = training.predict(network(epoch), small()).logits.argmax(dim=1)
        assert predicted[epoch].tolist() == expected.tolist()
    assert predicted[0].tolist() != predicted[1].tolist()


def test_later_changes_of_the_model_do_not_change_what_was_noted() -> None:
    recorder, model = trajectory.Recorder(small()), network(0)
    recorder(0, model)
    before = recorder.predicted().clone()
    model.load_state_dict(network(1).state_dict())
    recorder(1, model)
    assert torch.equal(recorder.predicted()[:1], before)


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
