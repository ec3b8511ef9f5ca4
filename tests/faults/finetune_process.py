"""A run of training on frames, alone or one of several that `torchrun` starts; writes its log."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from films_cached import CLASSES, cache, network, run_of

from pipeline.finetune import processes
from pipeline.finetune.network import TwoStream
from pipeline.finetune.run import Run, Settings
from pipeline.finetune.training import Both, train_jointly
from pipeline.joint import JOINT_METHODS, JointWeights


def note(run: Run, result: Callable[[], TwoStream], row: dict[str, float]) -> None:
    run.rows.append(row)


def main(folder: Path, name: str) -> None:
    """Three epochs of eight videos of either domain, normalised two by two."""
    method = JOINT_METHODS[name](JointWeights(threshold=0.0))
    with processes.joined():
        mine = folder / f"of-{processes.rank()}"
        source, target = cache(mine / "source", range(8)), cache(mine / "target", range(20, 28))
        data = Both(source, torch.arange(8) % CLASSES, target)
        settings = Settings(epochs=3, lr=0.01, batch_size=8)
        run = run_of(data, method, settings, network(micro_batch=2))
        train_jointly(run, data, method, note)
        if processes.rank() == 0:
            (folder / "rows.json").write_text(json.dumps(run.rows))
        safetensors.torch.save_file(run.network.state_dict(), mine / "weights.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
