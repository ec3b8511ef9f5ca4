"""Training on frames by several processes, and killed in the middle."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

ROOT = Path(__file__).parent.parent.parent
SCRIPT = Path(__file__).parent / "finetune_process.py"


def trained(folder: Path, name: str, processes: int) -> list[dict[str, float]]:
    """The log of a run by so many processes."""
    folder.mkdir(parents=True)
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(several if processes > 1 else []), str(SCRIPT), str(folder), name]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, cwd=folder)
    return json.loads((folder / "rows.json").read_text())


@pytest.mark.parametrize("name", ["cross_modal_contrastive", "mm_sada", "source_only_late"])
def test_two_processes_learn_as_one_with_a_batch_of_both(name: str, tmp_path: Path) -> None:
    alone = trained(tmp_path / "alone", name, 1)
    together = trained(tmp_path / "together", name, 2)
    assert len(alone) == 3
    assert together == [pytest.approx(row, rel=1e-3, abs=1e-5) for row in alone]
    first, second, one = (
        safetensors.torch.load_file(tmp_path / part / "weights.safetensors")
        for part in ("together/of-0", "together/of-1", "alone/of-0")
    )
    for key, value in one.items():
        assert first[key].equal(second[key])
        torch.testing.assert_close(first[key], value, rtol=1e-3, atol=1e-4)
