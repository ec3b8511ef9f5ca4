"""The reference of params.yaml: ranges from the types, defaults from the file, meanings in words.

    python -m pipeline.params_reference      writes docs/params.md

docs/params.yaml holds the words, one entry a key. A key without words, and words without a key, are
errors, so the reference is complete.
"""

import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline import atomic, stages
from pipeline.errors import UserError
from pipeline.params import Params

WORDS, REFERENCE = Path("docs/params.yaml"), Path("docs/params.md")
INTRODUCTION = """# Parameters

`params.yaml` holds all that one may want to turn. It is checked as a whole before any work is done:
a misspelt key, a key given twice, a wrong type, a value out of range or a task that names an
unknown domain is one line. `dvc exp run -S adapt.lambda1=0.3` changes one for a single experiment;
DVC re-runs only the stages that depend on it. *Paper*: its symbol, or the value it has there.

This page is made by `python -m pipeline.params_reference` out of the types in `pipeline/params.py`,
the defaults in `params.yaml` and the words in `docs/params.yaml`.
"""
PLAIN: dict[Any, str] = {
    **{int: "integer", float: "number", str: "text"},
    **{bool: "true, false", types.NoneType: "null"},
}


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names of all leaves below a section, and their types with what bounds them."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if inner := _section(kind):
            yield from keys(inner, f"{prefix}{name}.")
        elif get_origin(kind) is dict and (inner := _section(get_args(kind)[1])):
            yield from keys(inner, f"{prefix}{name}.<name>.")
        else:
            yield prefix + name, Annotated[(kind, *field.metadata)] if field.metadata else kind


def _section(kind: Any) -> type[BaseModel] | None:
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def values(kind: Any) -> str:
    """What a type allows, in words: `> 0`, `a` or `b`, number in [0, 1)."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _bounded(values(inside[0]), inside[1:])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(values(part) for part in inside)
    if origin is tuple:
        return f"list of {values(inside[0])}"
    if origin is dict:
        return f"{values(inside[0])} to {values(inside[1])}"
    return PLAIN[kind]


def _bounded(what: str, limits: tuple[Any, ...]) -> str:
    """Words for the bounds of a number."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "a multiple of"}
    said = [
        f"{sign} {getattr(limit, name)}"
        for limit in _unpacked(limits)
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    return " ".join([what, " and ".join(said)]).strip()


def _unpacked(limits: tuple[Any, ...]) -> Iterator[Any]:
    """Single bounds out of what may hold several."""
    for limit in limits:
        if isinstance(limit, FieldInfo):
            yield from _unpacked(tuple(limit.metadata))
        elif isinstance(limit, annotated_types.GroupedMetadata):
            yield from limit
        else:
            yield limit


def page(words: Mapping[str, Mapping[str, str]], defaults: Mapping[str, Any]) -> str:
    """The reference in Markdown. Raises UserError for words and keys that do not fit each other."""
    kinds = dict(keys(Params))
    silent, idle = sorted(kinds.keys() - words.keys()), sorted(words.keys() - kinds.keys())
    if silent or idle:
        raise UserError(
            f"{WORDS}: no words for {', '.join(silent) or 'none'}; no key for "
            f"{', '.join(idle) or 'none'}; write the one, take out the other"
        )
    lines, section = [INTRODUCTION], ""
    for name, kind in kinds.items():
        head = name.partition(".")[0]
        if head != section:
            section = head
            lines.append(_heading(head))
        said = words[name]
        unit = ", ".join(part for part in (said.get("unit"), values(kind)) if part)
        cells = (f"`{name}`", said["meaning"], unit, _default(name, defaults), said.get("paper"))
        lines.append("| " + " | ".join(str(cell or "").strip() for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _heading(section: str) -> str:
    documented = _section(Params.model_fields[section].annotation)
    told = f"\n{documented.__doc__}\n" if documented and documented.__doc__ else ""
    table = "| key | meaning | values | default | paper |\n|---|---|---|---|---|"
    return f"\n## {section}\n{told}\n{table}"


def _default(name: str, defaults: Mapping[str, Any]) -> str:
    """The value in params.yaml; none where each domain has its own."""
    value: Any = defaults
    for part in name.split("."):
        if part == "<name>":
            return ""
        value = value[part]
    return f"`{yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}`"


def main() -> None:
    """Writes docs/params.md."""
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    defaults = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    atomic.write_file(REFERENCE, page(words, defaults))
    print(f"{REFERENCE}: {len(words)} parameters")


if __name__ == "__main__":
    stages.run(main)
