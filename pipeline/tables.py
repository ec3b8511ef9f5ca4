"""CSV tables: read and written in one way, the same bytes for the same rows."""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from pipeline import atomic
from pipeline.errors import UserError

Cell = str | int | float | None
Row = Mapping[str, Cell]


def write(path: Path, rows: Sequence[Row], columns: Sequence[str] | None = None) -> None:
    """Writes rows; columns: these, or all that occur. What a row lacks stays empty.

    Raises UserError: a cell with a carriage return, which would not come back.
    """
    for cell in (cell for row in rows for cell in row.values()):
        if isinstance(cell, str) and "\r" in cell:
            raise UserError(f"{path}: {cell!r} holds a carriage return; rename what is called so")
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic.write_file(path, text.getvalue())


def rounded(row: Row) -> dict[str, Cell]:
    """The row with its fractions at 6 digits, enough to read and to plot."""
    return {name: float(f"{v:.6g}") if isinstance(v, float) else v for name, v in row.items()}


def mean_over_seeds(rows: Sequence[Row]) -> list[dict[str, Cell]]:
    """Rows of several seeds, each with `seed` and `epoch` -> one row an epoch, numbers averaged."""
    epochs: dict[Cell, list[Row]] = defaultdict(list)
    for row in rows:
        epochs[row["epoch"]].append(row)
    return [rounded({"epoch": epoch, **_mean(group)}) for epoch, group in epochs.items()]


def _mean(rows: Sequence[Row]) -> dict[str, Cell]:
    names = [name for name in rows[0] if name not in ("seed", "epoch")]
    return {name: fmean(float(row[name] or 0) for row in rows) for name in names}


def read(path: Path, columns: Sequence[str] = ()) -> list[dict[str, str]]:
    """Reads a table; every cell is text.

    Raises UserError: the file is missing, or is no table with these columns.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            absent = [name for name in columns if name not in (table.fieldnames or ())]
            rows = list(table)
            if any(None in row or None in row.values() for row in rows):
                raise csv.Error("a row of another length")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; `dvc repro` makes it, `dvc pull` fetches it"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise UserError(f"{path}: no CSV in UTF-8 ({fault}); delete it, run `dvc repro`") from None
    if absent:
        raise UserError(f"{path}: no column {', '.join(absent)}; delete it, run `dvc repro`")
    return rows
