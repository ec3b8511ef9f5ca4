"""Hands a source model over: to another organisation, or from one.

    python -m pipeline.handover export FOLDER
    python -m pipeline.handover receive FOLDER [--as NAME]

`export` writes models/source with a card, a README and digests into a new FOLDER. `receive` checks
such a folder, puts it into data/raw/NAME as a domain of its own, and says what params.yaml needs.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pipeline.stages
from pipeline import command_line, params, paths
from pipeline.checkpoints import Card
from pipeline.errors import UserError
from pipeline.handover import bundle, exported, fit, received


def receive(folder: Path, name: str | None) -> list[str]:
    """Checks a folder, puts it in place, and returns what to tell.

    Raises UserError: anything wrong with the folder, or another thing of that name.
    """
    card, models, _ = received.load(folder)
    name = name or f"{card.training['pretrain']['source']}_model"
    if not re.fullmatch(params.DOMAIN_NAME, name):
        raise UserError(f"--as {name!r}: a domain's name has letters, digits, - and _ only")
    p = params.load()
    known = p.domains.get(name)
    if known is not None and known.dataset != "received":
        raise UserError(
            f"params.yaml: domains.{name} is of dataset {known.dataset}, not a received model; "
            "choose another name with --as"
        )
    place = paths.raw(name)
    if not place.exists():
        bundle.copy(folder, place)
    elif not bundle.same(place, folder):
        raise UserError(f"{place}: something else is there; move it, or choose a name with --as")
    return [
        f"{place}: {len(models)} models that tell apart {len(card.classes)} classes "
        f"({', '.join(card.classes)}); checked",
        *_needed(name, card, p),
    ]


def _needed(name: str, card: Card, p: params.Params) -> list[str]:
    """What is yet to be done before `dvc repro`."""
    backbone = card.features["features"]["backbone"]
    lines = [
        "params.yaml needs",
        f"  task: {{source: {name}, target: the domain of your videos, classes: null}}",
        f"  domains: {name}: {{dataset: received}}",
        *(f"  {line}" for line in fit.differing(card, p)),
    ]
    if wrong := fit.weights(card, paths.backbone(backbone)):
        lines.append(f"warning: {wrong}")
    if kind := fit.kind(card):
        told = ", ".join(f"{key} {value}" for key, value in kind.items())
        lines.append(f"your features have to be imported too, with {told}")
    return [*lines, "then `dvc repro` adapts it, evaluates and reports"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Exports or receives, and says what comes next.

    Raises UserError: see `export` and `receive`, or a file that cannot be read or written.
    """
    parser = command_line.parser("handover", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    out = commands.add_parser("export", help="write models/source into a folder to hand over")
    out.add_argument("folder", type=Path, help="yet to be made")
    into = commands.add_parser("receive", help="check a folder and put it in place")
    into.add_argument("folder", type=Path, help="what `export` wrote")
    into.add_argument(
        "--as", dest="name", help="name of its domain; default: the source's + _model"
    )
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "export":
            card = exported.export(paths.SOURCE_MODEL, chosen.folder)
            lines = [
                f"{chosen.folder}: a model of {len(card.classes)} classes; hand over all of it"
            ]
        else:
            lines = receive(chosen.folder, chosen.name)
    except OSError as fault:
        raise UserError(str(fault)) from None
    print("\n".join(lines))


if __name__ == "__main__":
    pipeline.stages.run(main, "interrupted: no folder was written or received")
