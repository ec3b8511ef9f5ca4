"""A CSV that somebody wrote by hand or with another program: UTF-8, comma separated."""

import csv
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError


class Table(NamedTuple):
    """The names of the columns, lower case, and the rows that are not empty with line numbers."""

    header: list[str]
    rows: list[tuple[int, list[str]]]


def read(path: Path) -> Table:
    """Reads a table, with or without a byte order mark.

    Raises UserError: it cannot be read, is not UTF-8, or no CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); mend its rights") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected a CSV in UTF-8; {error}; save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not a CSV: {error}") from error
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    return Table(header, rows[1:])


def require_column(path: Path, header: list[str]) -> None:
    """Raises UserError unless there is a column `video`."""
    if "video" not in header:
        raise UserError(
            f"{path}: expected a first line with the column video (comma separated; label and "
            f"split are optional), found {','.join(header)!r}"
        )


def videos(path: Path) -> list[str]:
    """Column `video`, in the table's order. Raises UserError: as `read`, or no such column."""
    header, rows = read(path)
    require_column(path, header)
    return [row[header.index("video")] for _, row in rows]
