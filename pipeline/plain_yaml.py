"""YAML as plain values: a key stands once, and a few lines never unfold into gigabytes."""

from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError

ALIASES = 30  # of one file; each may double what stands before it
_FAULTS = (yaml.YAMLError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _Loader(yaml.SafeLoader):
    """PyYAML's own takes the last of equal keys, any number of aliases and any whole number."""

    aliases = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > ALIASES:
                raise _fault(f"more than {ALIASES} aliases", self.peek_event())
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise _fault(f"the key {key.value!r} stands twice, keep one", key)
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: Any) -> int:
        value = super().construct_yaml_int(node)
        if abs(value) >= 2**64:
            raise _fault("a whole number of more than 64 bits", node)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def _fault(what: str, where: Any) -> yaml.YAMLError:
    return yaml.YAMLError(f"line {where.start_mark.line + 1}: {what}")


def read(path: Path) -> Any:
    """The content of a YAML file in UTF-8.

    Raises UserError: the file is missing or cannot be read, is no YAML or of several documents, has
    a key twice, or more than it takes to say what a person would.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run from the project's top folder") from None
    except OSError as fault:
        raise UserError(f"{path}: cannot be read ({fault.strerror}); mend its rights") from None
    except _FAULTS as fault:
        wrong = " ".join(str(fault).split())
        raise UserError(f"{path}: not valid YAML: {wrong}"[:500]) from None
