"""What scores, losses and methods are called, and what they say in plain words."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PATH = Path(__file__).parent / "templates/glossary.yaml"


class Entry(NamedTuple):
    """What a score or loss is called, and what it says in plain words."""

    title: str
    words: str = ""
    better: str = ""  # "lower", "higher", or neither


@cache
def glossary() -> dict[str, dict[str, Any]]:
    """What templates/glossary.yaml holds: `scores`, `losses` and `methods`, by name."""
    return yaml.safe_load(PATH.read_text(encoding="utf-8"))


def entry(name: str) -> Entry:
    """A score or loss by its name in the tables; an unknown one has a title only."""
    known = glossary()["scores"] | glossary()["losses"]
    return Entry(**known[name]) if name in known else Entry(name.replace("_", " ").capitalize())
