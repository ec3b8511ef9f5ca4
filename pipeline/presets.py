"""Presets: named sets of parameters in presets/, as options for `dvc exp run`.

    dvc exp run $(python -m pipeline.presets mtran_paper)

Several may be named; the later one wins.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline import command_line
from pipeline.errors import UserError

FOLDER = Path(__file__).parent.parent / "presets"


def names() -> list[str]:
    """All presets, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def content(name: str) -> dict[str, Any]:
    """What a preset changes: sections of params.yaml. Raises UserError if there is none."""
    if name not in names():
        raise UserError(f"no preset {name!r}; there: {', '.join(names())}")
    changes: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return changes


def options(name: str) -> list[str]:
    """A preset as -S options: ["-S", "adapt.lr=0.01", ...]."""
    leaves = _leaves(content(name))
    return [word for key, value in leaves for word in ("-S", f"{key}={value}")]


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def main() -> None:
    """Prints the options of the presets named on the command line."""
    parser = command_line.parser("presets", __doc__)
    parser.add_argument("name", nargs="+", choices=names())
    print(*(word for name in parser.parse_args().name for word in options(name)))


if __name__ == "__main__":
    main()
