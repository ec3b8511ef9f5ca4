"""The small pictures of a domain's videos, as stage `pictures` publishes them, for a page."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.shards import JPEG, Shards

LARGEST = 2**18  # bytes of a picture that a page takes in


@dataclass(frozen=True, eq=False)
class Pictures(Mapping[str, bytes]):
    """A video's key -> its JPEG, read when asked for."""

    shards: Shards

    @classmethod
    def of(cls, folder: Path) -> "Pictures":
        """Those that lie in a folder. Raises UserError: none, or a damaged one."""
        return cls(Shards(folder, JPEG))

    def __getitem__(self, key: str) -> bytes:
        return self.shards.read(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.shards.fingerprints)

    def __len__(self) -> int:
        return len(self.shards.fingerprints)


def data_url(picture: bytes) -> str:
    """A picture as the address of an image in a page. Raises UserError: no small JPEG."""
    if not picture.startswith(b"\xff\xd8") or len(picture) > LARGEST:
        raise UserError(
            "data/pictures: no small pictures as stage `pictures` makes them; delete the folder, "
            "then `dvc pull` or `dvc repro`"
        )
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
