"""What pydantic finds wrong with a file's content, in lines that its author can act on."""

import difflib
import reprlib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_PLAIN = {  # pydantic's words for some faults are Python's, not YAML's
    "dict_type": "should be keys and values",
    "model_type": "should be keys and values",
    "tuple_type": "should be a list",
}
_SHORT = reprlib.Repr()  # what came may be the whole file
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 100


def lines(path: Path, form: type[BaseModel], fault: ValidationError) -> list[str]:
    """A line a fault: file, key, what is wrong, what came.

    Args:
        path: of the file.
        form: what its content was checked against.
        fault: what came of that.
    """
    rows = _without_consequences(form, fault.errors())
    return [_describe(path, form, row) for row in rows]


def _without_consequences(form: type[BaseModel], rows: list[Any]) -> list[Any]:
    """Leaves out that a key is missing where a misspelling of it says so already."""
    meant = {
        (*row["loc"][:-1], _closest(form, row["loc"]))
        for row in rows
        if row["type"] == "extra_forbidden"
    }
    return [row for row in rows if row["type"] != "missing" or row["loc"] not in meant]


def _describe(path: Path, form: type[BaseModel], row: Any) -> str:
    where = ": ".join([str(path), ".".join(str(part) for part in row["loc"])]).removesuffix(": ")
    if row["type"] == "extra_forbidden":
        return f"{where}: unknown key{_suggestion(form, row['loc'])}"
    if row["type"] == "missing":
        return f"{where}: missing"
    if row["type"] == "value_error":
        return f"{where}: {row['ctx']['error']}"
    wrong = _PLAIN.get(row["type"], row["msg"].removeprefix("Input "))
    return f"{where}: {wrong[0].lower()}{wrong[1:]}; got {_SHORT.repr(row['input'])}"


def _suggestion(form: type[BaseModel], loc: tuple[Any, ...]) -> str:
    """The known key closest to a misspelt one, as a question."""
    close = _closest(form, loc)
    return f"; did you mean {close!r}?" if close else f"; known: {', '.join(_known(form, loc))}"


def _closest(form: type[BaseModel], loc: tuple[Any, ...]) -> str | None:
    """The known key that a misspelt one may stand for."""
    close = difflib.get_close_matches(str(loc[-1]), _known(form, loc), n=1)
    return close[0] if close else None


def _known(form: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """All keys that may stand beside this one: the way there leads through sections and names."""
    section: Any = form
    for part in loc[:-1]:
        inside = [kind for kind in get_args(section) if hasattr(kind, "model_fields")]
        # of dict[str, Section] or tuple[Section, ...], where the part is a name or a number
        section = inside[0] if inside else section.model_fields[part].annotation
    return list(section.model_fields)
