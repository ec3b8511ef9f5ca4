"""Tables pickled as pandas 1.0 pickled them, made without pandas."""

import pickle
import sys
import types
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest


class DataFrame:
    """Pickled as pandas' own is."""

    def __init__(self, manager: object) -> None:
        self._data, self._typ, self.attrs = manager, "dataframe", dict[str, str]()


class BlockManager:
    """Pickled as pandas' own is."""

    def __init__(self, *state: object) -> None:
        self.state = state

    def __getstate__(self) -> tuple[object, ...]:
        return self.state


class Index:
    """Pickled as pandas' own is."""

    def __init__(self, names: Sequence[object]) -> None:
        self.names = names

    def __reduce__(self) -> tuple[object, ...]:
        return new_index, (Index, {"data": np.array(self.names, dtype=object), "name": None})


def new_index(cls: type, contents: object) -> object:
    raise AssertionError("a pickle's function was called")


PANDAS: Mapping[str, Mapping[str, type | Callable[..., object]]] = {
    "pandas": {},
    "pandas.core.frame": {"DataFrame": DataFrame},
    "pandas.core.internals.managers": {"BlockManager": BlockManager},
    "pandas.core.indexes.base": {"Index": Index, "_new_Index": new_index},
}
for module_name, contents in PANDAS.items():
    for global_name, content in contents.items():
        content.__module__, content.__qualname__ = module_name, global_name


def pandas_pickle(thing: object, protocol: int = 4) -> bytes:
    """Pickles with the classes above under their names in pandas, and numpy under its old name."""
    with pytest.MonkeyPatch.context() as patch:
        for name, globals_ in PANDAS.items():
            module = types.ModuleType(name)
            vars(module).update(globals_)
            patch.setitem(sys.modules, name, module)
        data = pickle.dumps(thing, protocol=protocol)
    return data.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")


def frame(
    columns: Mapping[object, Sequence[object]], fortran: bool = False, slices: bool = False
) -> DataFrame:
    """A table as pandas 1.0 kept it: columns of one type in one block."""
    kinds = {name: np.array(cells).dtype.kind for name, cells in columns.items()}
    types_ = {"i": np.int64, "f": np.float64, "b": np.bool_}
    blocks = []
    for kind in dict.fromkeys(kinds.values()):
        places = [i for i, name in enumerate(columns) if kinds[name] == kind]
        values = np.array([list(columns[name]) for name in columns if kinds[name] == kind], object)
        values = np.asarray(values, types_.get(kind, object), order="F" if fortran else "C")
        where = slice(places[0], places[-1] + 1, 1) if slices else np.array(places)
        blocks.append({"values": values, "mgr_locs": where})
    axes = [Index(list(columns)), None]
    return DataFrame(BlockManager(axes, [], [], {"0.14.1": {"axes": axes, "blocks": blocks}}))
