"""A user's files of features: what is right is read, a fault is one line that names the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npz_files import save

from pipeline import feature_files
from pipeline.errors import UserError
from pipeline.npz import Array

ONES = np.ones((2, 3, 4), np.float32)


def refusal(*paths: Path) -> str:
    with pytest.raises(UserError) as caught:
        list(feature_files.read_all(paths))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("type_", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 5, 4)])
def test_any_precision_and_both_forms_become_float32(
    tmp_path: Path, type_: str, shape: tuple[int, ...]
) -> None:
    rgb = np.arange(np.prod(shape)).reshape(shape).astype(type_)
    file = feature_files.read(save(tmp_path / "a.npz", "a", "b", rgb=rgb, flow=-rgb))
    assert file.keys == ("a", "b")
    assert file.rgb.shape == file.flow.shape == (2, 3, 5 if len(shape) == 4 else 1, 4)
    assert file.rgb.dtype == file.flow.dtype == np.dtype(np.float32)
    assert (file.rgb.reshape(shape) == rgb).all()
    assert (file.flow == -file.rgb).all()


def test_the_order_in_memory_does_not_matter(tmp_path: Path) -> None:
    rgb = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    save(tmp_path / "a.npz", "a", "b", rgb=np.asfortranarray(rgb), flow=rgb)
    file = feature_files.read(tmp_path / "a.npz")
    assert (file.rgb == file.flow).all()


def test_the_kind_says_what_features_must_have_in_common(tmp_path: Path) -> None:
    rgb = np.ones((1, 5, 2, 8))
    plain = feature_files.read(save(tmp_path / "a.npz", "a", rgb=rgb, flow=rgb))
    assert plain.kind == {"segments": 5, "windows": 2, "dim": 8}
    named = feature_files.read(save(tmp_path / "b.npz", "a", rgb=rgb, flow=rgb, extractor="tsn"))
    assert named.kind == {"segments": 5, "windows": 2, "dim": 8, "extractor": "tsn"}


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"key": None}, "expected the arrays key, rgb and flow, key missing"),
    ({"rgb": None, "flow": None}, "expected the arrays key, rgb and flow, rgb and flow missing"),
    ({"key": [1, 2]}, "key: expected strings of shape (n,), found int64"),
    ({"key": ["a", ""]}, "key: number 1 is empty"),
    ({"key": ["a", "b", "c"]}, "rgb: expected 3 rows, one a key, found 2"),
    ({"flow": np.ones((3, 2, 4))}, "flow: expected 2 rows, one a key, found 3"),
    ({"key": ["a", "a"]}, "key 'a' stands in a.npz already"),
    ({"rgb": np.ones((2, 4))}, "rgb: expected (n, T, d) or (n, T, W, d) of float16, float32 or"),
    ({"rgb": np.ones((2, 1, 1, 1, 4))}, "rgb: expected (n, T, d) or (n, T, W, d)"),
    ({"rgb": np.ones((2, 0, 4))}, "rgb: expected (n, T, d) or (n, T, W, d)"),
    ({"rgb": ONES.astype(int)}, "rgb: expected (n, T, d) or (n, T, W, d)"),
    ({"flow": ONES.astype(complex)}, "flow: expected (n, T, d) or (n, T, W, d)"),
    ({"flow": ONES.astype(np.longdouble)}, "flow: expected (n, T, d) or (n, T, W, d)"),
    ({"rgb": ONES}, "expected rgb and flow of one shape, found (2, 3, 4) and (2, 2, 4)"),
    ({"rgb": ONES * np.inf}, "rgb: 2 of 2 videos have values that are not finite as float32, 'a'"),
    ({"flow": [[[0.0]], [[np.nan]]]}, "flow: 1 of 2 videos have values that are not finite as "),
    ({"rgb": [[[1e39]], [[0.0]]]}, "rgb: 1 of 2 videos have values that are not finite as float32"),
    ({"extractor": ["a"]}, "extractor: expected one string, found shape (1,)"),
    ({"extractor": 3}, "extractor: expected strings"),
]


@pytest.mark.parametrize(("changed", "expected"), FAULTS)
def test_a_fault_is_one_line_that_names_file_and_array(
    tmp_path: Path, changed: dict[str, Any], expected: str
) -> None:
    path = save(tmp_path / "a.npz", "a", "b", **changed)
    assert refusal(path).startswith(f"{path}: {expected}")


@pytest.mark.parametrize("name", ["key", "rgb", "flow", "extractor"])
def test_objects_are_refused_everywhere(tmp_path: Path, name: str) -> None:
    objects: dict[str, Any] = {name: np.array(["a"], dtype=object)}
    path = save(tmp_path / "a.npz", "a", **objects)
    assert f"{name} cannot be read (Object arrays cannot be loaded" in refusal(path)


def test_a_key_in_two_files_is_refused(tmp_path: Path) -> None:
    paths = [save(tmp_path / "a.npz", "x", "y"), save(tmp_path / "b.npz", "z", "x")]
    assert refusal(*paths).startswith(f"{paths[1]}: key 'x' stands in a.npz already")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 3, 1, 4), "found segments 3, windows 1, dim 4"),
        ((1, 2, 2, 4), "found segments 2, windows 2, dim 4"),
        ((1, 2, 1, 5), "found segments 2, windows 1, dim 5"),
    ],
)
def test_files_of_different_form_are_refused(
    tmp_path: Path, shape: tuple[int, ...], expected: str
) -> None:
    other: Array = np.ones(shape)
    paths = [save(tmp_path / "a.npz", "x"), save(tmp_path / "b.npz", "y", rgb=other, flow=other)]
    text = refusal(*paths)
    assert text.startswith(f"{paths[1]}: expected features like those of a.npz, segments 2, ")
    assert expected in text


def test_files_of_different_extractors_are_refused(tmp_path: Path) -> None:
    paths = [save(tmp_path / "a.npz", "x"), save(tmp_path / "b.npz", "y", extractor="tsn")]
    assert "found segments 2, windows 1, dim 4, extractor tsn" in refusal(*paths)
