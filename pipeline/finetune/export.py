"""Makes a fine-tuned network a backbone of its own, which stage `features` can run.

    python -m pipeline.finetune.export [--seed 0]

Reads   models/finetuned
Writes  models/<backbone>_tuned/{rgb,flow}.safetensors; then set features.backbone to that name

The two streams keep the batch normalisation statistics of the domain that the network was tested
with, and their classifiers.
"""

import argparse
from pathlib import Path

import safetensors.torch
from torch import Tensor

from pipeline import atomic, backbones, checkpoints, paths, stages
from pipeline.errors import UserError
from pipeline.finetune.card import STREAMS, FinetunedCard
from pipeline.finetune.domain_norm import with_one_domain
from pipeline.finetune.network import TwoStream


def stream(network: TwoStream, name: backbones.Stream, card: FinetunedCard) -> dict[str, Tensor]:
    """One stream as a plain I3D: weights by the names of the published checkpoints."""
    plain = with_one_domain(network.get_submodule(name).state_dict(), card.statistics)
    classifier = network.get_submodule(f"{name}_classifier").state_dict()
    plain["logits.conv3d.weight"] = classifier["weight"][:, :, None, None, None]
    plain["logits.conv3d.bias"] = classifier["bias"]
    return {key: value.contiguous().clone() for key, value in plain.items()}


def export(source: Path, seed: int) -> Path:
    """Writes both streams of a seed's network; the folder that they are in.

    Raises UserError: no such network.
    """
    card, models = checkpoints.load_as(FinetunedCard, source)
    network = models.get(seed)
    if not isinstance(network, TwoStream):
        seeds = ", ".join(map(str, sorted(models)))
        raise UserError(f"{source}: no network of seed {seed}; there: {seeds}")
    folder = paths.backbone(f"{card.backbone}_tuned")
    with atomic.new_folder(folder) as aside:
        for name in STREAMS:
            state = stream(network, name, card)
            safetensors.torch.save_file(state, aside / f"{name}.safetensors")
    return folder


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.finetune.export",
        description="Makes a fine-tuned network a backbone for stage features.",
    )
    parser.add_argument("--seed", type=int, default=0, help="whose network it is")
    folder = export(paths.FINETUNED_MODEL, parser.parse_args().seed)
    print(f"{folder}: written; set features.backbone: {folder.name} and run `dvc repro`")


if __name__ == "__main__":
    stages.run(main, "interrupted: nothing was written")
