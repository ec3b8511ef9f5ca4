"""One level of TV-L1 for a batch of pairs by Triton's kernels: a kernel launch a few iterations.

All numbers stay on the device. A pair that has converged costs a kernel's early return; the host
asks only now and then whether any pair still runs, and does not wait for the answer.
"""

from dataclasses import dataclass

import numpy as np
import torch
import triton
from torch import Tensor

from pipeline.flow import triton_iteration, triton_median, triton_warp
from pipeline.flow.parameters import TVL1
from pipeline.flow.torch_warp import gradient_table
from pipeline.flow.triton_state import PLANES

QUESTION = 4  # blocks from one question to the device to the next
LANES = 32  # px: width of a strip, a pixel for each thread of a warp
PIXELS = 256  # of a program of the median and of the warp, a pixel for each thread of 8 warps


@dataclass(frozen=True)
class Cut:
    """How the iterations are cut into launches and tiles; see `triton_iteration`."""

    depth: int = 3  # iterations of a block, at most
    height: int = 32  # px, of a tile


def solve(frames: Tensor, flow: Tensor, parameters: TVL1, cut: Cut = Cut()) -> Tensor:
    """Solves for the flow at one level, from a first guess.

    Args:
        frames: float32 (n, 2, h, w), of 0 to 255, on a GPU (or a CPU, in Triton's interpreter).
        flow: the guess, float32 (n, 2, h, w), px, on the same device.
        parameters: of the algorithm.
        cut: how the work is cut; another cut may change the last bits of the result.

    Returns:
        float32 (n, 2, h, w), px.
    """
    level = _Level(frames.contiguous(), flow, parameters, cut)
    for _ in range(parameters.warps):
        level.linearise()
        level.descend()
    return level.flow()


class _Level:
    """The state of a batch of pairs at a level, as `triton_state` describes it."""

    def __init__(self, frames: Tensor, flow: Tensor, parameters: TVL1, cut: Cut) -> None:
        n, _, self.h, self.w = flow.shape
        self.frames, self.table = frames, gradient_table(frames[:, 1])
        self.parameters, self.height = parameters, cut.height
        inner = parameters.inner_iterations
        self.depth = max(d for d in range(1, cut.depth + 1) if inner % d == 0)
        self.blocks = parameters.outer_iterations * inner // self.depth
        self.per_filter = inner // self.depth if parameters.median_size == 5 else 0
        self.state = flow.new_zeros(n, PLANES, self.h, self.w)
        self.state[:, :2] = flow
        self.data = flow.new_empty(n, 3, self.h, self.w)
        strips = triton_iteration.strips(self.w, self.depth, LANES)
        self.tiles = strips * triton.cdiv(self.h, self.height)
        self.change = flow.new_empty(n, self.blocks + 1, self.depth, self.tiles)
        self.begun = torch.zeros(n, dtype=torch.int32, device=flow.device)
        self.enough = float(np.float32(parameters.epsilon**2 * self.h * self.w))

    def linearise(self) -> None:
        """Begins a warp: every pair runs, and no iteration has been."""
        triton_warp.linearise[triton.cdiv(self.h * self.w, PIXELS), len(self.state)](
            *(self.frames, self.table, self.state, self.begun, self.data, self.h, self.w),
            PIXELS,
            **_options(warps=8),
        )
        self.change.fill_(-1)
        self.change[:, 0] = torch.inf

    def descend(self) -> None:
        """Iterates until no pair runs, or the iterations are used up."""
        most = _Answers(self.state.device)
        for block in range(self.blocks):
            if self.per_filter and block % self.per_filter == 0:
                self._filter(block)
            self._iterate(block)
            if (
                block % QUESTION == QUESTION - 1
                and most.ask(self.change[:, block + 1, 0, 0].amax()) < 0
            ):
                break
        self._iterate(self.blocks)  # for those that have to go back from the last block
        self.begun += self.ran().sum(1, dtype=torch.int32)

    def ran(self) -> Tensor:
        """Which blocks (n, blocks) of this warp each pair has run."""
        return self.change[:, 1:, 0, 0] >= 0

    def _filter(self, block: int) -> None:
        half = triton.cdiv(self.h, 2) * self.w
        triton_median.median_5x5[triton.cdiv(half, PIXELS), 2, len(self.state)](
            *(self.state, self.change, self.begun, block, self.blocks, self.tiles),
            *(self.h, self.w, self.enough, self.depth, PIXELS),
            **_options(warps=8),
        )

    def _iterate(self, block: int) -> None:
        p = self.parameters
        triton_iteration.iterate[self.tiles, len(self.state)](
            *(self.state, self.data, self.change, self.begun, block, self.blocks),
            *(self.per_filter, self.h, self.w),
            *(p.lambda_ * p.theta, p.theta, p.tau / p.theta, self.enough),
            *(self.depth, self.height, LANES),
            **_options(warps=1),
        )

    def flow(self) -> Tensor:
        """The flow (n, 2, h, w) of the valid set of each pair."""
        pairs = torch.arange(len(self.state), device=self.state.device)
        sets = self.state[:, :12].unflatten(1, (2, 6))
        return sets[pairs, (self.begun & 1).long(), :2]


def _options(warps: int) -> dict[str, int | bool]:
    # no product is fused with a sum, as on a CPU; Triton's own default differs between versions
    return {"num_warps": warps, "enable_fp_fusion": False}


class _Answers:
    """Asks a GPU without waiting: each question gets the answer to the one before."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._last = torch.zeros((), pin_memory=self._on_gpu)
        self._event: torch.cuda.Event | None = None

    def ask(self, question: Tensor) -> float:
        """Hands in a number on the device; returns the previous one (the first time, 0)."""
        if not self._on_gpu:
            return float(question)
        if self._event:
            self._event.synchronize()
        answer = float(self._last)
        self._last.copy_(question, non_blocking=True)
        self._event = torch.cuda.current_stream().record_event()
        return answer
