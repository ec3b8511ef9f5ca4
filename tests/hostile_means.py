"""What hostile files are made with: calls in pickles, zeros that were packed, zip files that lie.

What would run leaves a folder `executed` behind; what leads out leads to `outside`, which is there.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping

CANARY = "executed"
GIGABYTES = 4  # that a bomb unfolds to
Crafted = Mapping[str, bytes]


class Harm:
    """Calls something when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def deflated_zeros(gigabytes: float, before: bytes = b"") -> bytes:
    """Raw deflate of some bytes and gigabytes of zeros, made from one piece over and over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + piece * int(gigabytes * 64) + packer.flush()


def zip_of(members: Mapping[str, bytes], packed: Mapping[str, tuple[bytes, int]]) -> bytes:
    """A zip file of plain members, and of raw deflate streams with the sizes they unfold to."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
        for name, (content, size) in packed.items():
            file.writestr(name, content)
            member = file.getinfo(name)
            member.compress_type, member.file_size = zipfile.ZIP_DEFLATED, size
            buffer.seek(member.header_offset)
            buffer.write(member.FileHeader(zip64=False)[:30])
            buffer.seek(0, io.SEEK_END)
            file.start_dir = buffer.tell()
    return buffer.getvalue()
