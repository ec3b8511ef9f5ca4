"""TV-L1 optical flow: which algorithm, with which parameters; nothing here computes."""

from dataclasses import dataclass

VARIANT = "opencv-cpu-5"
VERSION = 2  # changes whenever the flow of a pair of frames may change


@dataclass(frozen=True)
class TVL1:
    """Parameters of OpenCV's DualTVL1OpticalFlow, and its defaults; gamma is 0.

    Symbols as in Zach, Pock and Bischof, "A duality based approach for realtime TV-L1 optical
    flow", DAGM 2007; `VARIANT` names what the paper leaves open: OpenCV 5 on a CPU, where warping
    is bicubic at exact coordinates and the flow is median-filtered.
    """

    tau: float = 0.25  # step of the dual variable p (the paper's tau; p moves by tau / theta)
    lambda_: float = 0.15  # weight of the data term, for intensities of 0 to 255
    theta: float = 0.3  # coupling of u and v
    scales: int = 5  # levels of the pyramid, fewer where a side would fall below 16 pixels
    scale_step: float = 0.8  # size of a level, in sizes of the next finer one
    warps: int = 5  # linearisations of the data term at a level
    epsilon: float = 0.01  # px; a warp ends when the root mean square update falls below
    outer_iterations: int = 10  # each begins with the median filter
    inner_iterations: int = 30
    median_size: int = 5  # px; 1 is no filter

    def __post_init__(self) -> None:
        if self.median_size not in (1, 5):
            raise ValueError(f"TVL1.median_size must be 1 or 5, got {self.median_size}")
        if not 0 < self.scale_step < 1:
            raise ValueError(f"TVL1.scale_step must lie in (0, 1), got {self.scale_step}")
