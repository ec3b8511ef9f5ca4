"""Pages out of templates: what users and files name is text, and never markup."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def printable(text: str) -> str:
    """The text with a replacement sign for what has no picture: control signs, odd directions."""
    joiners = "\u200c\u200d"  # Persian, Hindi and others write with them
    return "".join(sign if sign.isprintable() or sign in joiners else "\ufffd" for sign in text)


def environment() -> Environment:
    """Templates whose values are escaped; a value that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    """Text as it may stand on a page; autoescape does the rest."""
    plain = isinstance(value, str) and not isinstance(value, Markup)
    return printable(value) if plain else value
