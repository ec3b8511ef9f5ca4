"""Compiles the C++ of the TV-L1 flow, once for each source, compiler and set of instructions.

The compiled file lies with Python's own, in `__pycache__`, or where that cannot be written in the
user's cache folder. It is written aside and renamed, so that processes may compile at once.
"""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pipeline.errors import UserError

Rounding = Literal["exact", "fast"]
SOURCES = Path(__file__).parent / "cpp"
FLAGS = ["-std=c++17", "-O3", "-shared", "-fPIC", "-ffp-contract=off", "-fvisibility=hidden", "-w"]
ROUNDINGS: dict[Rounding, list[str]] = {"exact": [], "fast": ["-DTVL1_FAST"]}
INSTRUCTIONS = {  # the best first; the features by which LLVM knows that a processor has them
    "avx512": ["-mavx2", "-mfma", "-mavx512f"],
    "avx2": ["-mavx2", "-mfma"],
    "baseline": [],
}
REMEDY = "use implementation 'numba' or 'auto'"


class NoCompilerError(UserError):
    """There is no C++ compiler on this machine."""


def instruction_sets() -> list[str]:
    """Names of `INSTRUCTIONS` that this processor has, the best first."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    return [
        name
        for name, flags in INSTRUCTIONS.items()
        if all(features.get(flag.removeprefix("-m")) for flag in flags)
    ]


def library(instructions: str, rounding: Rounding) -> Path:
    """Returns the compiled file, and compiles it first if it is not there.

    Raises:
        NoCompilerError: There is no C++ compiler.
        UserError: The compiler fails, or no folder can be written.
    """
    compiler = _compiler()
    flags = [*FLAGS, *INSTRUCTIONS[instructions], *ROUNDINGS[rounding]]
    made_from = [_version(compiler), platform.machine(), " ".join(flags), *_sources()]
    digest = hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:16]
    name = f"tvl1-{rounding}-{instructions}-{digest}.so"
    for folder in _folders():
        if (folder / name).exists():
            return folder / name
    path = _writable_folder() / name
    print(f"flow: compiling the C++ code for {instructions}, once", flush=True)
    _compile([*compiler, *flags, str(SOURCES / "solver.cpp")], path)
    return path


def _sources() -> list[str]:
    return [path.read_text() for path in sorted(SOURCES.iterdir())]


def _compiler() -> tuple[str, ...]:
    chosen = os.environ.get("CXX")
    names = [chosen] if chosen else ["c++", "g++", "clang++"]
    for name in names:
        command = shlex.split(name)
        if shutil.which(command[0]):
            return tuple(command)
    raise NoCompilerError(
        f"flow by 'native': no C++ compiler found ({', '.join(names)}); install g++ or clang++, "
        f"name yours in the environment variable CXX, or {REMEDY}"
    )


@lru_cache
def _version(compiler: tuple[str, ...]) -> str:
    """What the compiler says of itself; nothing if it fails, as it will again when it compiles."""
    asked = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    return asked.stdout


def _folders() -> list[Path]:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [SOURCES.parent / "__pycache__", Path(cache) / "vidshift"]


def _writable_folder() -> Path:
    """The first folder that can be written."""
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    raise UserError(
        "flow by 'native': none of the folders for compiled code can be written: "
        f"{', '.join(map(str, _folders()))}; set XDG_CACHE_HOME to one that can, or {REMEDY}"
    )


def _compile(command: list[str], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".tvl1.") as aside:
        made = Path(aside) / path.name
        ran = subprocess.run(
            [*command, "-o", str(made)], capture_output=True, text=True, check=False
        )
        if ran.returncode or not made.exists():
            lines = [*ran.stderr.splitlines(), "it says nothing"]
            said = next((line for line in lines if "error" in line), lines[0])
            raise UserError(
                f"flow by 'native': {command[0]} cannot compile {SOURCES.name}/solver.cpp "
                f"({said.strip()}); name a compiler of C++17 in the environment variable CXX, "
                f"or {REMEDY}"
            )
        made.replace(path)
