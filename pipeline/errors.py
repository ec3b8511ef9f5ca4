"""What goes wrong in a way that the user can mend."""

import errno
import os


class UserError(Exception):
    """Says what was expected, what came, where, and what to do next; shown without a traceback.

    File and class names stand in it, and some are meant to steer the terminal that shows them: what
    has no picture stands there as YAML and Python write it in quotes.
    """

    def __str__(self) -> str:
        """The text, safe to show: of signs without a picture, line breaks alone stay."""
        return "".join(
            sign if sign.isprintable() or sign in "\n\u200c\u200d" else _escaped(sign)
            for sign in super().__str__()
        )


class VideoError(UserError):
    """One video that cannot be used; the run goes on with the others and reports it at the end."""


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


_ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room, or have your quota raised",
    errno.EFBIG: "have the limit on file sizes raised",
    errno.EROFS: "it must be writable",
    errno.EACCES: "mend its rights",
    errno.EPERM: "mend its rights",
    errno.EIO: "the disk may be failing: see `dmesg`",
}
_KEPT = "what was finished is kept; the next run goes on from here"


def of_the_machine(fault: Exception) -> str | None:
    """What to do about a fault of disk, memory or GPU; None for any other."""
    if isinstance(fault, OSError) and fault.errno in _ADVICE:
        where = f"{fault.filename}: " if fault.filename else ""
        return f"{where}{fault.strerror}; {_ADVICE[fault.errno]}; {_KEPT}"
    if isinstance(fault, RuntimeError) and os.strerror(errno.ENOSPC) in str(fault):  # HDF5's
        return f"{os.strerror(errno.ENOSPC)}; {_ADVICE[errno.ENOSPC]}; {_KEPT}"
    if isinstance(fault, MemoryError):
        return f"out of memory; free some, or lower engine.workers; {_KEPT}"
    if isinstance(fault, RuntimeError) and any(name in str(fault) for name in ("CUDA", "cuDNN")):
        return f"the GPU failed ({str(fault).splitlines()[0]}); see `nvidia-smi`; {_KEPT}"
    return None
