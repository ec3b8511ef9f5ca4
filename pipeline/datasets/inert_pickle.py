"""Opens the pickle of an old pandas table without executing anything, and without pandas.

A pickle is a program: it names functions and classes (globals) and has them called. Here the
names on a short list stand for inert objects of ours, which only remember what they were called
with and what state they were given; any other name is refused before anything is called.

The program runs in Python's own machine for pickles and not in the faster one in C, which believes
numbers: a few bytes have it reserve gigabytes. Keys of dictionaries are texts and numbers alone, as
tables have them: hashing a tuple of tuples takes hours, or ends the process.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pipeline.errors import UserError

ADVICE = "get the file again from its public source"


class Inert:
    """Stands for an allowed global: remembers arguments and state, does nothing."""

    arguments: tuple[object, ...]
    state: object

    def __new__(cls, *arguments: object) -> "Inert":
        """Takes the arguments here, since the opcode NEWOBJ calls no `__init__`."""
        made = super().__new__(cls)
        made.arguments = arguments
        made.state = None
        return made

    def __init__(self, *arguments: object) -> None:
        """Lets REDUCE call the class with arguments; `__new__` took them."""

    def __setstate__(self, state: object) -> None:
        self.state = state


class Frame(Inert):
    """pandas' DataFrame; its state is a dictionary with the manager."""


class Manager(Inert):
    """pandas' BlockManager."""


class Index(Inert):
    """Made by pandas' `_new_Index(class, {"data": array, ...})`."""


class Array(Inert):
    """Made by numpy's `_reconstruct`; the contents are its state."""


class DType(Inert):
    """numpy's dtype: the type's code is the first argument, the byte order in the state."""


class Slice(Inert):
    """Python's slice."""


ALLOWED: Mapping[tuple[str, str], type[Inert]] = {
    ("pandas.core.frame", "DataFrame"): Frame,
    ("pandas.core.internals.managers", "BlockManager"): Manager,
    ("pandas.core.internals", "BlockManager"): Manager,
    ("pandas.core.indexes.base", "_new_Index"): Index,
    ("pandas.core.indexes.base", "Index"): Index,
    ("pandas.core.indexes.range", "RangeIndex"): Index,
    ("pandas.core.indexes.numeric", "Int64Index"): Index,
    ("numpy.core.multiarray", "_reconstruct"): Array,
    ("numpy._core.multiarray", "_reconstruct"): Array,
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): DType,
    ("builtins", "slice"): Slice,
    ("__builtin__", "slice"): Slice,
}


def load(path: Path) -> object:
    """What a pickle describes, made of Python's plain types and of the inert stand-ins above.

    Raises:
        UserError: it asks for a global that is not in ALLOWED, or is no pickle.
    """
    try:
        data = path.read_bytes()
        return _Unpickler(io.BytesIO(data)).load()
    except _ForbiddenGlobalError as error:
        raise UserError(
            f"{path}: the pickle asks for {error}, which no table needs, so it was not opened: it "
            f"may be meant to do harm, or be of another pandas than 0.14 to 1.2; {ADVICE}"
        ) from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise UserError(
            f"{path}: expected a pickled table: {type(error).__name__}: {error}; {ADVICE}"
        ) from error


class _Dictionary(dict[object, object]):
    """A dictionary whose keys are hashed in no time."""

    __slots__ = ()

    def __setitem__(self, key: object, value: object) -> None:
        if not isinstance(key, str | bytes | int | None):
            raise ValueError(f"a key of a dictionary that is a {type(key).__name__}")
        super().__setitem__(key, value)


class _Unpickler(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    for _opcode in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET):  # no table has them
        del dispatch[_opcode[0]]

    append: Callable[[object], None]
    pop_mark: Callable[[], list[object]]

    def find_class(self, module_name: str, global_name: str) -> type[Inert]:
        stand_in = ALLOWED.get((module_name, global_name))
        if stand_in is None:
            raise _ForbiddenGlobalError(f"{module_name}.{global_name}")
        return stand_in

    def _empty_dictionary(self) -> None:
        self.append(_Dictionary())

    def _filled_dictionary(self) -> None:
        items, made = self.pop_mark(), _Dictionary()
        for key, value in zip(items[::2], items[1::2], strict=True):
            made[key] = value
        self.append(made)

    dispatch[pickle.EMPTY_DICT[0]] = _empty_dictionary
    dispatch[pickle.DICT[0]] = _filled_dictionary


class _ForbiddenGlobalError(Exception):
    """The global that a pickle asked for."""
