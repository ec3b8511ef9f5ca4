"""A rendered demo domain: its videos and the `videos.csv` that was written beside them."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.datasets.csv_listing import read_csv
from pipeline.datasets.listing import Listed
from pipeline.errors import UserError

LAYOUT = "videos.csv (video,label,split) and the rendered videos that it names"


def list_videos(root: Path, classes: Mapping[str, str] | None) -> list[Listed]:
    """Videos of a rendered domain, sorted by key; the key is the path below `root`.

    Raises:
        UserError: no videos.csv, or faulty rows in it.
    """
    table = root / "videos.csv"
    if not table.is_file():
        raise UserError(f"{table}: expected {LAYOUT}; render the demo's videos again")
    return read_csv(table, root, classes)
