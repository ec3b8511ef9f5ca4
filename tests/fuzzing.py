"""Gives hostile files to the readers of `hostile_readers`, in a process that may die.

    python tests/fuzzing.py FIRST STOP DONE READER ...    these mutants of each reader's samples
    python tests/fuzzing.py crafted N DONE READER ...     what `hostile_crafted` made, N mutants

What a reader may do: succeed (with a mutant), or raise UserError. Held against it is any other
exception, death, more than `SECONDS` or `MEGABYTES`, and, whatever it answers, a program started, a
connection, a file changed outside its folder or left inside.
"""

import faulthandler
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

SECONDS = 20  # a file, on a busy machine
MEGABYTES = 1536  # a file: reading a video may take 1 GiB
_ROOM = 6 * 2**30  # bytes beyond which the process gets no more, for the machine's sake
_STARTED = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen")
_CONNECTED = ("socket.connect", "socket.bind", "socket.getaddrinfo")
_CHANGED = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.chmod")
_ASKED = "> "  # begins a line that names the file to be read next


@dataclass
class Findings:
    """What came of the hostile files of a reader."""

    read: list[str] = field(default_factory=list)  # their names
    refused: list[str] = field(default_factory=list)
    peak: int = 0  # MB that reading one took
    slowest: float = 0.0  # seconds
    held_against: dict[str, list[str]] = field(default_factory=dict)  # fault: the files' names

    def __str__(self) -> str:
        faults = "".join(f"\n  {len(n)} x {what}: {n[:5]}" for what, n in self.held_against.items())
        return (
            f"{len(self.read)} read, {len(self.refused)} refused, "
            f"at most {self.peak} MB and {self.slowest:.1f} s{faults}"
        )

    def note(self, row: dict[str, Any]) -> None:
        """Counts the answer to one file."""
        if row["answer"] in ("read", "refused"):
            getattr(self, row["answer"]).append(row["name"])
        self.peak = max(self.peak, row["megabytes"])
        self.slowest = max(self.slowest, row["seconds"])
        wrong = row["wrong"] + ["too much memory"] * (row["megabytes"] > MEGABYTES)
        for what in wrong:
            self.held_against.setdefault(what, []).append(row["name"])


def fuzz(readers: Sequence[str], count: int, first: int = 0) -> dict[str, Findings]:
    """Gives `count` mutants of its samples to each reader."""
    return _findings([str(first), str(first + count)], readers)


def craft(readers: Sequence[str], mutants: int = 0) -> dict[str, Findings]:
    """Gives each reader what was made for it, and some mutants."""
    return _findings(["crafted", str(mutants)], readers)


def _findings(which: list[str], readers: Sequence[str]) -> dict[str, Findings]:
    """Has the files read in another process; where it dies, a new one goes on behind."""
    findings, done, died = {reader: Findings() for reader in readers}, 0, True
    while died:
        command = [sys.executable, __file__, *which, str(done), *readers]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        asked = [line for line in ran.stdout.splitlines() if line.startswith(_ASKED)]
        for line in ran.stdout.splitlines():
            if line.startswith(_ASKED):
                reader, name = json.loads(line.removeprefix(_ASKED))
            else:
                findings[reader].note({"name": name, **json.loads(line)})
        done, died = done + len(asked), ran.returncode != 0
        if died:
            told = " | ".join(ran.stderr.strip().splitlines()[-12:])
            assert asked, told
            findings[reader].held_against.setdefault(f"death: {told}", []).append(name)
    return findings


class Watch:
    """Notes what nobody should do while a file is read (an audit hook, which stays for good)."""

    def __init__(self) -> None:
        self.folder: Path | None = None  # where files may be changed, while one is read
        self.seen: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event in _STARTED or event in _CONNECTED:
            self.seen.append(f"{event} {arguments!r:.200}")
        elif event == "open" or event in _CHANGED:
            path, flags = str(arguments[0]), arguments[-1] if event == "open" else os.O_WRONLY
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if writes and not path.startswith((str(self.folder), "/dev/")):
                self.seen.append(f"{event} {path!r:.200}")


def _resident(what: str) -> int:
    """MB of this process: VmRSS, now, or VmHWM, at most since it was reset."""
    rows = Path("/proc/self/status").read_text().splitlines()
    [row] = [row for row in rows if row.startswith(what)]
    return int(row.split()[1]) // 1024


def _answer(read: Callable[[Path], object], folder: Path) -> tuple[str, list[str]]:
    """What a reader says of a file, and what is wrong with that."""
    from pipeline.errors import UserError

    try:
        read(folder)
    except UserError as fault:
        text = str(fault)
        return "refused", [] if 0 < len(text) < 20000 else [f"told badly: {text:.99}"]
    except Exception as fault:
        where = [f for f in traceback.extract_tb(fault.__traceback__) if "/pipeline/" in f.filename]
        place = f"{Path(where[-1].filename).name}:{where[-1].lineno}" if where else "?"
        return "bug", [f"{type(fault).__name__} at {place}"]
    return "read", []


def _watched(read: Callable[[Path], object], folder: Path, watch: Watch) -> dict[str, Any]:
    """A row for `Findings.note`, but for the file's name."""
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
    before, beside, started = _resident("VmRSS"), _listing(folder), time.monotonic()
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    watch.folder = folder
    answer, wrong = _answer(read, folder)
    watch.folder = None
    faulthandler.cancel_dump_traceback_later()
    new = [f"left {path}" for path in sorted(_listing(folder) - beside)]
    row = {"answer": answer, "wrong": [*wrong, *watch.seen, *new]}
    watch.seen.clear()
    seconds = round(time.monotonic() - started, 3)
    return row | {"megabytes": max(0, _resident("VmHWM") - before), "seconds": seconds}


def _listing(folder: Path) -> set[str]:
    return {str(path) for path in folder.parent.rglob("*")}


def _files(reader: str, folder: Path, which: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The hostile files of a reader, by name; its folder is made ready."""
    from hostile_crafted import CRAFTED
    from hostile_readers import READERS
    from mutations import mutant

    os.chdir(folder)
    READERS[reader].prepare(folder)
    samples, words = READERS[reader].samples(folder), READERS[reader].words
    place = folder / READERS[reader].place
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(samples[0])
    READERS[reader].read(folder)  # a whole file
    first, stop = which
    if first == "crafted":
        yield from CRAFTED.get(reader, lambda folder: {})(folder).items()
    for number in range(0 if first == "crafted" else int(first), int(stop)):
        yield str(number), mutant(samples, words, number)


def main(first: str, stop: str, done: str, *readers: str) -> None:
    """Reads hostile files, all but the first that are done; tells of each before and after."""
    from hostile_readers import READERS

    watch, left = Watch(), int(done)
    tell = partial(print, file=sys.stdout, flush=True)  # what is read may print, too
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for reader in readers:
        with tempfile.TemporaryDirectory() as aside, redirect_stdout(sys.stderr):
            folder = Path(aside) / "project"
            folder.mkdir()
            for name, content in _files(reader, folder, (first, stop)):
                left -= 1
                if left >= 0:
                    continue
                (folder / READERS[reader].place).write_bytes(content)
                tell(_ASKED + json.dumps([reader, name]))
                tell(json.dumps(_watched(READERS[reader].read, folder, watch)))
            os.chdir("/")


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    main(*sys.argv[1:])
