import ctypes
import multiprocessing
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from pipeline import flow
from pipeline.errors import UserError
from pipeline.flow import TVL1, native_build, native_tvl1, numba_tvl1

SETS = native_build.instruction_sets()
Frames = tuple[np.ndarray, np.ndarray]


def frames(shape: tuple[int, int] = (47, 61), seed: int = 0) -> Frames:
    """Noise of 4 px that moves by 1 px to the right, black in one corner."""
    coarse = np.random.default_rng(seed).integers(0, 256, (shape[0] // 4 + 2, shape[1] // 4 + 2))
    wide = np.kron(coarse, np.ones((4, 4))).astype(np.uint8)[: shape[0], : shape[1] + 1]
    wide[:9, :13] = 0
    return wide[:, 1:], wide[:, :-1]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for compiled code, and nothing remembered of an earlier compilation."""
    monkeypatch.setattr(native_build, "_folders", lambda: [tmp_path / "cache"])
    remembered = (flow.usable, native_tvl1._function, native_build._version)
    for each in remembered:
        each.cache_clear()
    yield tmp_path / "cache"
    for each in remembered:
        each.cache_clear()


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("shape", [(2, 2), (5, 16), (16, 17), (47, 61), (64, 33)])
def test_exact_rounding_gives_the_flow_of_numba_with_any_instructions(
    instructions: str, shape: tuple[int, int]
) -> None:
    pair = frames(shape)
    native = native_tvl1.tvl1(*pair, TVL1(), instructions=instructions)
    np.testing.assert_array_equal(native, numba_tvl1.tvl1(*pair, TVL1()))


@pytest.mark.parametrize("rounding", get_args(native_build.Rounding))
def test_all_instructions_give_the_same_flow(rounding: native_build.Rounding) -> None:
    pair = frames()
    flows = {native_tvl1.tvl1(*pair, TVL1(), rounding, each).tobytes() for each in SETS}
    assert len(flows) == 1


@pytest.mark.parametrize("rounding", get_args(native_build.Rounding))
def test_denormal_numbers_stay_what_they_are(rounding: native_build.Rounding) -> None:
    native_tvl1.tvl1(*frames(), TVL1(), rounding)
    tiny = np.full(64, 1e-39, np.float32)
    assert (tiny * np.float32(0.5) > 0).all()


def test_code_is_compiled_once(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    native_tvl1.compile_ahead()
    assert capsys.readouterr().out.count("flow: compiling") == 1
    made = list(elsewhere.iterdir())
    before = [path.stat().st_mtime_ns for path in made]
    native_tvl1._function.cache_clear()
    native_tvl1.compile_ahead()
    assert capsys.readouterr().out == ""
    assert [path.suffix for path in made] == [".so"]
    assert [path.stat().st_mtime_ns for path in elsewhere.iterdir()] == before


def compile_in(folder: Path) -> bytes:
    native_build._folders = lambda: [folder]
    return native_tvl1.tvl1(*frames(), TVL1()).tobytes()


def test_processes_may_compile_at_once(tmp_path: Path) -> None:
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawned) as pool:
        flows = set(pool.map(compile_in, [tmp_path] * 2))
    assert flows == {native_tvl1.tvl1(*frames(), TVL1()).tobytes()}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_changed_source_is_compiled_anew(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(native_build, "_compile", lambda command, path: commands.append(command))
    first = native_build.library(SETS[0], "exact")
    sources = native_build._sources()
    monkeypatch.setattr(native_build, "_sources", lambda: [*sources[:-1], sources[-1] + " "])
    assert native_build.library(SETS[0], "exact") != first
    assert native_build.library(SETS[0], "fast") != native_build.library(SETS[0], "exact")


def test_without_a_compiler_auto_is_numba_and_says_nothing(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    assert flow.usable("auto") == "numba"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("implementation", ["native", "fast"])
def test_without_a_compiler_native_says_what_to_install(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, implementation: flow.Implementation
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"no C\+\+ compiler found .* install g\+\+ or clang"):
        flow.tvl1(*frames(), implementation=implementation)


def test_a_compiler_that_fails_is_told_in_a_line_and_auto_goes_on_with_numba(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = script(elsewhere.parent / "old", "echo 'x: error: what is c++17?' >&2; exit 1")
    monkeypatch.setenv("CXX", old)
    with pytest.raises(UserError, match=r"cannot compile .*error: what is c"):
        flow.tvl1(*frames(), implementation="native")
    capsys.readouterr()
    assert flow.usable("auto") == "numba"
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "continuing with 'numba'" in line] == lines[1:]
    assert not list(elsewhere.iterdir())


def test_code_that_cannot_be_loaded_is_no_traceback(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying = script(
        elsewhere.parent / "lying", 'for last; do :; done; [ "$last" = --version ] || : > "$last"'
    )
    monkeypatch.setenv("CXX", lying)
    with pytest.raises(UserError, match="cannot be loaded"):
        native_tvl1.compile_ahead()


def test_the_user_s_cache_serves_where_the_package_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(native_build, "SOURCES", tmp_path / "file" / "cpp")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert native_build._writable_folder() == tmp_path / "home" / "vidshift"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="set XDG_CACHE_HOME"):
        native_build._writable_folder()


def test_parameters_are_laid_out_as_in_the_c_code() -> None:
    text = (native_build.SOURCES / "parameters.hpp").read_text()
    body = text[text.index("{") + 1 : text.index("}")]
    declared = [
        (name.strip(), ctypes.c_double if line.split()[0] == "double" else ctypes.c_int)
        for line in body.split(";")
        if line.strip()
        for name in line.split(maxsplit=1)[1].split(",")
    ]
    expected = [(name.rstrip("_"), kind) for name, kind, *_ in native_tvl1._Parameters._fields_]
    assert declared == expected


def test_compiled_code_is_no_dependency_of_dvc() -> None:
    ignored = Path(__file__).parent.parent.joinpath(".dvcignore").read_text().split()
    assert native_build._folders()[0].name in ignored
    assert os.path.commonpath([native_build._folders()[0], native_build.SOURCES]) != str(
        native_build.SOURCES
    )
