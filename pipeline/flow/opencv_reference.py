"""TV-L1 optical flow by OpenCV: the reference, and a second implementation."""

from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.flow.parameters import TVL1


def tvl1(first: np.ndarray, second: np.ndarray, parameters: TVL1) -> np.ndarray:
    """Computes the flow (u, v) from `first` to `second`: first[y, x] is found at second[y+v, x+u].

    OpenCV is told to use one thread, in this whole process: the pipeline runs one process per core.

    Args:
        first: uint8 (h, w), grey.
        second: the same, of the same size.
        parameters: of the algorithm.

    Returns:
        float32 (2, h, w), px: u to the right, v down.

    Raises:
        UserError: OpenCV is missing, or is a build without the optflow module.
    """
    cv2 = _opencv()
    cv2.setNumThreads(1)
    solver = cv2.optflow.DualTVL1OpticalFlow_create(  # anew: a small frame lowers nscales for ever
        tau=parameters.tau,
        lambda_=parameters.lambda_,
        theta=parameters.theta,
        nscales=parameters.scales,
        warps=parameters.warps,
        epsilon=parameters.epsilon,
        innnerIterations=parameters.inner_iterations,
        outerIterations=parameters.outer_iterations,
        scaleStep=parameters.scale_step,
        gamma=0.0,
        medianFiltering=parameters.median_size,
        useInitialFlow=False,
    )
    return np.ascontiguousarray(solver.calc(first, second, None).transpose(2, 0, 1))


def version() -> str:
    """Returns OpenCV's version: 4 and 5 differ by hundredths of a pixel.

    Raises:
        UserError: OpenCV is missing, or is a build without the optflow module.
    """
    return str(_opencv().__version__)


def _opencv() -> Any:
    remedy = "install opencv-contrib-python-headless in its place, or use implementation 'numba'"
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            f"flow by 'opencv': OpenCV cannot be imported ({error}); {remedy}"
        ) from None
    if not hasattr(cv2, "optflow"):
        raise UserError(
            f"flow by 'opencv': this OpenCV {cv2.__version__} has no TV-L1, as is the case in "
            f"opencv-python and opencv-python-headless; {remedy}"
        )
    return cv2
