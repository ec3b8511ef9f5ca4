import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.flow import (
    TVL1,
    Implementation,
    from_code,
    numba_median,
    numba_pyramid,
    numba_warp,
    provenance,
    to_code,
    tvl1,
)

OURS: tuple[Implementation, ...] = ("native", "fast", "numba")
FAR = {"native": 0.005, "numba": 0.005, "fast": 0.02}  # px from OpenCV, on average
NEAR = {"native": 0.998, "numba": 0.998, "fast": 0.99}  # of the pixels are within 0.1 px
Scene = tuple[np.ndarray, np.ndarray, np.ndarray]

needs_opencv_5 = pytest.mark.skipif(
    cv2.__version__.startswith("4."), reason="OpenCV 4 rounds coordinates to 1/32 px as it warps"
)


def texture(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Smooth noise of 0 to 255 with details of 2 to 20 px, 64 px wider than `shape` all around."""
    noise = np.random.default_rng(seed).normal(size=(2, shape[0] + 128, shape[1] + 128))
    coarse, fine = (
        cv2.GaussianBlur(n, (0, 0), s) * s for n, s in zip(noise, (6, 1.5), strict=True)
    )
    image = coarse + fine
    return (255 * (image - image.min()) / np.ptp(image)).astype(np.float32)


def moved(shape: tuple[int, int], matrix: np.ndarray, seed: int = 0) -> Scene:
    """Two frames of a texture that moves by an affine map of pixels (2, 3), and the true flow."""
    big = texture(shape, seed)
    y, x = np.indices(shape).astype(np.float64)
    whole = np.vstack([matrix, [0, 0, 1]])
    true = np.einsum("ij,jhw->ihw", whole, np.stack([x, y, np.ones(shape)]))[:2] - np.stack([x, y])
    back = np.einsum("ij,jhw->ihw", np.linalg.inv(whole), np.stack([x, y, np.ones(shape)]))[:2]
    first = big[64:-64, 64:-64]
    at = (back + 64).astype(np.float32)
    second = cv2.remap(big, at[0], at[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return first.astype(np.uint8), np.clip(second, 0, 255).astype(np.uint8), true


def translation(shape: tuple[int, int] = (96, 128)) -> Scene:
    return moved(shape, np.array([[1, 0, 3.3], [0, 1, -2.6]]))


def rotation_and_zoom() -> Scene:
    return moved((96, 128), cv2.getRotationMatrix2D((64, 48), 3.0, 1.04), seed=1)


def noisy() -> Scene:
    first, second, true = moved((90, 110), np.array([[1, 0, -1.4], [0, 1, 0.7]]), seed=2)
    noise = np.random.default_rng(3).normal(0, 6, (2, 90, 110))
    first, second = np.clip(np.stack([first, second]) + noise, 0, 255).astype(np.uint8)
    return first, second, true


def occlusion() -> Scene:
    """A square that moves by (4, 2) before a texture that moves by (-1, 0)."""
    first, second, true = moved((96, 96), np.array([[1, 0, -1], [0, 1, 0]]), seed=4)
    square = texture((40, 40), 5)[64:-64, 64:-64].astype(np.uint8)
    first[20:60, 30:70], second[22:62, 34:74] = square, square
    true[:, 20:60, 30:70] = np.array([4, 2])[:, None, None]
    return first, second, true


SCENES = [translation, rotation_and_zoom, noisy, occlusion]


def endpoint_error(flow: np.ndarray, true: np.ndarray) -> float:
    inner = (slice(None), slice(10, -10), slice(10, -10))
    return float(np.hypot(*(flow - true)[inner]).mean())


def assert_agree(
    implementation: Implementation,
    first: np.ndarray,
    second: np.ndarray,
    parameters: TVL1 = TVL1(),  # noqa: B008
) -> None:
    ours = tvl1(first, second, implementation=implementation, parameters=parameters)
    theirs = tvl1(first, second, implementation="opencv", parameters=parameters)
    difference = np.hypot(*(ours - theirs))
    assert difference.mean() <= FAR[implementation]
    assert (difference < 0.1).mean() >= NEAR[implementation]


@needs_opencv_5
@pytest.mark.parametrize("implementation", OURS)
@pytest.mark.parametrize("scene", SCENES)
def test_flow_is_that_of_opencv(scene: Callable[[], Scene], implementation: Implementation) -> None:
    first, second, _ = scene()
    assert_agree(implementation, first, second)


@needs_opencv_5
@pytest.mark.parametrize("implementation", OURS)
@pytest.mark.parametrize(
    "shape", [(2, 2), (3, 40), (15, 16), (16, 17), (33, 49), (64, 65), (99, 47)]
)
def test_flow_is_that_of_opencv_at_any_size(
    shape: tuple[int, int], implementation: Implementation
) -> None:
    first, second, _ = translation(shape)
    assert_agree(implementation, first, second)


@needs_opencv_5
@pytest.mark.parametrize("implementation", ["native", "numba"])
@pytest.mark.parametrize(
    "parameters",
    [
        TVL1(tau=0.2, lambda_=0.3, theta=0.25, epsilon=0.02),
        TVL1(scales=3, scale_step=0.5, warps=2, inner_iterations=7, outer_iterations=4),
        TVL1(median_size=1),
    ],
)
def test_parameters_mean_what_they_mean_to_opencv(
    parameters: TVL1, implementation: Implementation
) -> None:
    first, second, _ = rotation_and_zoom()
    assert_agree(implementation, first, second, parameters)


@pytest.mark.parametrize("implementation", OURS)
@pytest.mark.parametrize("scene", SCENES)
def test_flow_is_as_near_to_the_truth_as_that_of_opencv(
    scene: Callable[[], Scene], implementation: Implementation
) -> None:
    first, second, true = scene()
    ours = endpoint_error(tvl1(first, second, implementation=implementation), true)
    theirs = endpoint_error(tvl1(first, second, implementation="opencv"), true)
    assert ours == pytest.approx(theirs, rel=0.01, abs=0.002)
    assert ours < 0.5


@pytest.mark.parametrize("implementation", [*OURS, "opencv"])
def test_channel_0_points_right_and_channel_1_down(implementation: Implementation) -> None:
    first, second, _ = translation()
    flow = tvl1(first, second, implementation=implementation)
    assert flow.dtype == np.float32
    assert flow.shape == (2, 96, 128)
    assert np.median(flow, axis=(1, 2)) == pytest.approx([3.3, -2.6], abs=0.05)


@pytest.mark.parametrize("implementation", OURS)
def test_equal_frames_do_not_move(implementation: Implementation) -> None:
    first, _, _ = translation()
    assert not tvl1(first, first, implementation=implementation).any()


@pytest.mark.parametrize("implementation", OURS)
def test_the_same_frames_give_the_same_bytes_whatever_ran_before(
    implementation: Implementation,
) -> None:
    first, second, _ = translation()
    alone = tvl1(first, second, implementation=implementation).tobytes()
    tvl1(*translation((20, 20))[:2], implementation=implementation)
    tvl1(*occlusion()[:2], implementation=implementation)
    assert tvl1(first, second, implementation=implementation).tobytes() == alone


@pytest.mark.parametrize("implementation", OURS)
def test_threads_do_not_disturb_each_other(implementation: Implementation) -> None:
    def computed(pair: tuple[np.ndarray, np.ndarray]) -> bytes:
        return tvl1(*pair, implementation=implementation).tobytes()

    pairs = [scene()[:2] for scene in SCENES]
    alone = [computed(pair) for pair in pairs]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(computed, pairs * 3))
    assert together == alone * 3


@pytest.mark.parametrize("implementation", OURS)
def test_layout_in_memory_does_not_matter(implementation: Implementation) -> None:
    first, second, _ = translation()
    wide = np.repeat(first, 2, axis=1)[:, ::2]
    read_only = np.asfortranarray(second)
    read_only.flags.writeable = False
    ours, expected = (
        tvl1(*pair, implementation=implementation) for pair in ((wide, read_only), (first, second))
    )
    np.testing.assert_array_equal(ours, expected)


def extreme_pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    black, white = np.zeros((48, 64), np.uint8), np.full((48, 64), 255, np.uint8)
    checks = (np.indices(black.shape).sum(0) % 2 * 255).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (2, 48, 64), np.uint8)
    dot, moved_dot = black.copy(), black.copy()
    dot[20, 20], moved_dot[21, 22] = 1, 255  # flow dies away from it, into denormal numbers
    return {
        "black": (black, black),
        "black to white": (black, white),
        "white to black": (white, black),
        "checks": (checks, 255 - checks),
        "noise": (noise[0], noise[1]),
        "dot": (dot, moved_dot),
    }


@pytest.mark.parametrize("implementation", OURS)
@pytest.mark.parametrize("name", extreme_pairs())
def test_extreme_frames_give_finite_flow(name: str, implementation: Implementation) -> None:
    first, second = extreme_pairs()[name]
    assert np.isfinite(tvl1(first, second, implementation=implementation)).all()


@needs_opencv_5
@pytest.mark.parametrize("implementation", ["native", "numba"])
@pytest.mark.parametrize("name", extreme_pairs())
def test_extreme_frames_give_the_flow_of_opencv(name: str, implementation: Implementation) -> None:
    first, second = extreme_pairs()[name]
    assert_agree(implementation, first, second)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (3, 3), (5, 128), (7, 129), (37, 51)])
def test_median_is_that_of_opencv_and_stays_inside_its_plane(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    plane = np.zeros((shape[0] + 2, shape[1] + 9), np.float32)
    plane[1:-1, 5:-4] = image
    numba_median.median_5x5(plane, shape[1], 5)
    np.testing.assert_array_equal(plane[1:-1, 5:-4], cv2.medianBlur(image, 5))
    plane[1:-1, 5:-4] = 0
    assert not plane.any()


@pytest.mark.parametrize("shape", [(37, 51), (30, 41), (64, 64)])
def test_resizing_is_that_of_opencv_within_its_rounding(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    expected = cv2.resize(image, None, fx=0.8, fy=0.8)
    smaller = numba_pyramid.resize(image, expected.shape, (1.25, 1.25), np.float32(1))
    np.testing.assert_allclose(smaller, expected, atol=1e-4)
    scale = smaller.shape[0] / shape[0], smaller.shape[1] / shape[1]
    larger = numba_pyramid.resize(smaller, shape, scale, np.float32(2))
    np.testing.assert_allclose(larger, 2 * cv2.resize(smaller, shape[::-1]), atol=5e-3)


@needs_opencv_5
def test_warping_is_that_of_opencv_within_its_rounding() -> None:
    h, w = 21, 34
    image = np.random.default_rng(0).uniform(0, 255, (h, w)).astype(np.float32)
    u = np.random.default_rng(1).uniform(-6, 6, (2, h, w)).astype(np.float32)
    u[0, 3, 4], u[1, 5, 6] = 1e9, -1e9
    flow = np.zeros((2, h + 2, 48 + 16), np.float32)
    flow[:, 1:-1, 15 : 15 + w] = u
    data = np.zeros((4, h + 2, 48 + 16), np.float32)
    table = numba_warp.gradient_table(image)
    zeros = np.zeros_like(image)
    numba_warp.warp(zeros, table, flow.reshape(2, -1), data.reshape(4, -1), (15, 48 + 16))
    to_y, to_x = np.indices((h, w)).astype(np.float32) + u[::-1]
    grad = np.gradient(np.pad(image, 1, mode="edge"))
    for plane, expected in zip(data[1:3], (grad[1], grad[0]), strict=True):
        inner = np.ascontiguousarray(expected[1:-1, 1:-1])
        theirs = cv2.remap(inner, to_x, to_y, cv2.INTER_CUBIC)
        np.testing.assert_allclose(plane[1:-1, 15 : 15 + w], theirs, atol=1e-3)


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (np.zeros((8, 8), np.float32), np.zeros((8, 8), np.uint8), "float32"),
        (np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), "(8, 8, 3)"),
        (np.zeros((1, 8), np.uint8), np.zeros((1, 8), np.uint8), "(1, 8)"),
        (np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.uint8), "(0, 0)"),
        (np.zeros((8, 9), np.uint8), np.zeros((9, 8), np.uint8), "one size"),
    ],
)
def test_what_is_no_pair_of_grey_frames_is_refused(
    first: np.ndarray, second: np.ndarray, what: str
) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        tvl1(first, second)
    assert what in str(error.value)


def test_a_median_that_is_not_implemented_is_refused() -> None:
    with pytest.raises(ValueError, match="median_size must be 1 or 5, got 3"):
        TVL1(median_size=3)


def test_opencv_without_optflow_says_which_package_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "optflow")
    with pytest.raises(UserError, match="opencv-contrib-python-headless"):
        tvl1(*translation((20, 20))[:2], implementation="opencv")


def test_without_opencv_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = translation((20, 20))[:2]
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UserError, match="opencv-contrib-python-headless"):
        tvl1(*frames, implementation="opencv")


def test_provenance_tells_implementations_opencv_versions_and_parameters_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = [provenance("numba"), provenance("opencv"), provenance("fast"), provenance("cuda")]
    known.append(provenance("numba", TVL1(warps=2)))
    monkeypatch.setattr(cv2, "__version__", "4.13.0")
    known.append(provenance("opencv"))
    assert len({json.dumps(each, sort_keys=True) for each in known}) == 6


def test_what_gives_the_same_flow_has_the_same_provenance() -> None:
    assert provenance("native") == provenance("numba") == provenance("auto")


def test_importing_flow_imports_neither_opencv_nor_numba() -> None:
    code = "import pipeline.flow, sys; assert not {'cv2', 'numba'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_codes_are_those_of_the_formula() -> None:
    flow = np.array([-30, -20, -10, -0.1, 0, 0.0784, 0.1, 10, 20, 30], np.float32)
    assert to_code(flow, 20).tolist() == [0, 0, 64, 127, 128, 128, 128, 191, 255, 255]
    assert to_code(flow, 20).dtype == np.uint8


@pytest.mark.parametrize("bound", [0.3, 7, 15.3, 20, 25])
def test_0_px_becomes_128_at_any_bound(bound: float) -> None:
    assert (
        to_code(np.zeros((2, 3, 4), np.float32), bound).tolist() == np.full((2, 3, 4), 128).tolist()
    )


def test_a_code_read_back_is_within_half_a_step() -> None:
    flow = np.linspace(-20, 20, 10001, dtype=np.float32)
    back = from_code(to_code(flow, 20))
    assert back.dtype == np.float32
    assert (back.min(), back.max()) == (-1, 1)
    assert np.abs(20 * back - flow).max() <= 20 / 255 + 1e-5


def test_codes_read_back_keep_their_value() -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert from_code(codes)[128] == pytest.approx(1 / 255, abs=1e-6)
    np.testing.assert_array_equal(to_code(20 * from_code(codes), 20), codes)


@pytest.mark.parametrize("bound", [0, -1, float("nan")])
def test_a_bound_that_is_not_above_0_is_refused(bound: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        to_code(np.zeros(1, np.float32), bound)
