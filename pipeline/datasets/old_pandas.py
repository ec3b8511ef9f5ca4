"""Reads tables that pandas 0.14 to 1.2 pickled, without pandas and without executing anything.

The form read (pandas' `BlockManager.__getstate__`, version "0.14.1"): a DataFrame's state holds
a manager, whose state is (axes, ..., {"0.14.1": {"axes": axes, "blocks": blocks}}); axis 0 is the
column names; each block has `values` (k, rows) of one type, and `mgr_locs`, the positions of its
k columns. The state of a numpy array is (version, shape, dtype, Fortran order, data), where data
is a list of objects or raw bytes. Types read: object, int64, float64 and bool.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.datasets import inert_pickle
from pipeline.datasets.inert_pickle import ADVICE, Array, DType, Frame, Index, Inert, Manager, Slice
from pipeline.errors import UserError

Cell = str | int | float | bool | None

_CODES: dict[str, type] = {"O8": object, "i8": np.int64, "f8": np.float64, "b1": np.bool_}


def read_columns(path: Path, columns: Sequence[str]) -> dict[str, list[Cell]]:
    """The named columns of a pickled table as Python values, a list a column, of one length.

    Raises:
        UserError: the pickle asks for a global that no table needs (it is not called), is not a
            pickle, or is not a table of the form above with these columns.
    """
    frame = inert_pickle.load(path)
    try:
        table = _columns(frame)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise UserError(
            f"{path}: expected a table pickled by pandas 0.14 to 1.2: {error}; {ADVICE}"
        ) from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise UserError(
            f"{path}: expected the columns {', '.join(columns)}; {', '.join(missing)} is not "
            f"among {', '.join(table)}; {ADVICE}"
        )
    return {name: table[name] for name in columns}


def _columns(frame: object) -> dict[str, list[Cell]]:
    """All columns by name."""
    state = _dictionary(_stand_in(frame, Frame).state)
    manager = _stand_in(state.get("_data"), Manager)
    versions = _dictionary(_sequence(manager.state)[-1])
    form = _dictionary(versions.get("0.14.1"))
    names = _names(_sequence(form.get("axes"))[0])
    table: dict[str, list[Cell]] = {}
    for block in map(_dictionary, _sequence(form.get("blocks"))):
        values = _array(block.get("values"))
        places = _places(block.get("mgr_locs"), len(names))
        if values.ndim != 2 or len(values) != len(places):
            raise ValueError(f"a block of shape {values.shape} for {len(places)} columns")
        table |= {names[place]: row.tolist() for place, row in zip(places, values, strict=True)}
    if len({len(column) for column in table.values()}) > 1:
        raise ValueError("columns of different lengths")
    return table


def _names(index: object) -> list[str]:
    arguments = _stand_in(index, Index).arguments
    values = _array(_dictionary(arguments[1]).get("data")).tolist()
    if not all(isinstance(value, str) for value in values):
        raise ValueError("column names that are not text")
    return values


def _places(locations: object, width: int) -> list[int]:
    """The positions of a block's columns among `width`."""
    if isinstance(locations, Slice):
        bounds = [None if bound is None else _whole(bound) for bound in locations.arguments]
        return list(range(width))[slice(*bounds)]
    return [_whole(place) for place in _array(locations).tolist()]


def _array(value: object) -> np.ndarray:
    """The array that a stand-in remembers."""
    _, shape, dtype, fortran, data = _sequence(_stand_in(value, Array).state)
    sizes = tuple(_whole(size) for size in _sequence(shape))
    order: Literal["F", "C"] = "F" if fortran is True else "C"
    byte_order, code = _type_of(dtype)
    if _CODES[code] is object:
        return _objects(data, sizes).reshape(sizes, order=order)
    if not isinstance(data, bytes):
        raise ValueError(f"expected the bytes of an array, found {type(data).__name__}")
    flat: np.ndarray = np.frombuffer(data, dtype=f"{byte_order}{code}").astype(_CODES[code])
    return flat.reshape(sizes, order=order)


def _objects(data: object, sizes: tuple[int, ...]) -> np.ndarray:
    """A flat array of cells, which must be text, numbers, truth values or None."""
    cells = _sequence(data)
    if len(cells) != math.prod(sizes):
        raise ValueError(f"{len(cells)} cells for an array of shape {sizes}")
    if not all(isinstance(cell, Cell) for cell in cells):
        raise ValueError("cells that are neither text nor numbers")
    return np.array(cells, dtype=object)


def _type_of(value: object) -> tuple[str, str]:
    """Byte order and code of an array's type."""
    dtype = _stand_in(value, DType)
    code, byte_order = dtype.arguments[0], _sequence(dtype.state)[1]
    if not isinstance(code, str) or code not in _CODES or byte_order not in ("<", ">", "|"):
        raise ValueError(f"an array of another type than {', '.join(_CODES)}")
    return str(byte_order), code


def _stand_in(value: object, kind: type[Inert]) -> Inert:
    if not isinstance(value, kind):
        raise ValueError(f"expected a {kind.__name__}, found {type(value).__name__}")
    return value


def _dictionary(value: object) -> dict[object, object]:
    if not isinstance(value, dict):
        raise ValueError(f"expected a dictionary, found {type(value).__name__}")
    return value


def _sequence(value: object) -> Sequence[object]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list, found {type(value).__name__}")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"expected a whole number from 0 on, found {type(value).__name__}")
    return value
