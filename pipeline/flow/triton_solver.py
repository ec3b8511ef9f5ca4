"""One level of TV-L1 for a batch of pairs by Triton's kernels: one kernel launch an iteration.

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

QUESTION = 10  # iterations from one question to the device to the next


@dataclass(frozen=True)
class Tile:
    """Size of the tiles, px, powers of two, and how many warps of threads work on one."""

    height: int = 16
    width: int = 32
    num_warps: int = 8


def solve(frames: Tensor, flow: Tensor, parameters: TVL1, tile: Tile = Tile()) -> Tensor:
    """Solves for the flow at one level, from a first guess.

    Args:
        frames: float32 (n, 2, h, w), of 0 to 255, on a GPU (or a CPU, in Triton's interpreter).
        flow: the guess, float32 (n, 2, h, w), px, on the same device.
        parameters: of the algorithm.
        tile: how the work is cut; another height or width may change the last bits of the result.

    Returns:
        float32 (n, 2, h, w), px.
    """
    level = _Level(frames.contiguous(), flow, parameters, tile)
    for _ in range(parameters.warps):
        level.linearise()
        level.descend()
    return level.flow()


class _Level:
    """The state of a batch of pairs at a level, as `triton_state` describes it."""

    def __init__(self, frames: Tensor, flow: Tensor, parameters: TVL1, tile: Tile) -> None:
        n, _, self.h, self.w = flow.shape
        self.frames, self.table = frames, gradient_table(frames[:, 1])
        self.parameters, self.tile = parameters, tile
        self.state = flow.new_zeros(n, PLANES, self.h, self.w)
        self.state[:, :2] = flow
        self.data = flow.new_empty(n, 3, self.h, self.w)
        self.tiles = self._tiles(self.h)
        steps = parameters.outer_iterations * parameters.inner_iterations
        self.change = flow.new_empty(n, 1 + steps, self.tiles)
        self.begun = torch.zeros(n, dtype=torch.int32, device=flow.device)
        # no product is fused with a sum, as on a CPU; Triton's own default differs between versions
        self._options = {"num_warps": tile.num_warps, "enable_fp_fusion": False}
        self.enough = float(np.float32(parameters.epsilon**2 * self.h * self.w))

    def _tiles(self, lines: int) -> int:
        return triton.cdiv(lines, self.tile.height) * triton.cdiv(self.w, self.tile.width)

    def linearise(self) -> None:
        """Begins a warp: every pair runs, and no iteration has been."""
        triton_warp.linearise[self.tiles, len(self.state)](
            *(self.frames, self.table, self.state, self.begun, self.data, self.h, self.w),
            *(self.tile.height, self.tile.width),
            **self._options,
        )
        self.change.fill_(-1)
        self.change[:, 0] = torch.inf

    def descend(self) -> None:
        """Iterates until no pair runs, or the iterations are used up."""
        ran = _Answers(self.state.device)
        filtered = self.parameters.median_size == 5
        inner = self.parameters.inner_iterations
        for step in range(self.change.shape[1] - 1):
            if step % inner == 0 and filtered:
                self._filter(step)
            self._iterate(step, filtered and step % inner == 0)
            if step % QUESTION == QUESTION - 1 and not ran.ask(self._has_run()[:, step].any()):
                break
        self.begun += self._has_run().sum(1, dtype=torch.int32)

    def _has_run(self) -> Tensor:
        """Which iterations (n, steps) of this warp each pair has run."""
        return self.change[:, 1:, 0] >= 0

    def _filter(self, step: int) -> None:
        triton_median.median_5x5[self._tiles(triton.cdiv(self.h, 2)), 2, len(self.state)](
            *(self.state, self.change, self.begun, step, self.h, self.w),
            *(self.tiles, self.change.shape[1], self.enough),
            *(self.tile.height, self.tile.width, triton.next_power_of_2(self.tiles)),
            **self._options,
        )

    def _iterate(self, step: int, filtered: bool) -> None:
        p = self.parameters
        triton_iteration.iterate[self.tiles, len(self.state)](
            *(self.state, self.data, self.change, self.begun, step, int(filtered)),
            *(self.h, self.w, self.change.shape[1]),
            *(p.lambda_ * p.theta, p.theta, p.tau / p.theta, self.enough),
            *(self.tile.height, self.tile.width, triton.next_power_of_2(self.tiles)),
            **self._options,
        )

    def flow(self) -> Tensor:
        """The flow (n, 2, h, w) of the valid set of each pair."""
        pairs = torch.arange(len(self.state), device=self.state.device)
        sets = self.state[:, :12].unflatten(1, (2, 6))
        return sets[pairs, (self.begun & 1).long(), :2]


class _Answers:
    """Asks a GPU without waiting: each question gets the answer to the one before."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._last = torch.tensor(True)
        self._event: torch.cuda.Event | None = None

    def ask(self, question: Tensor) -> bool:
        """Hands in a truth value on the device; returns the previous one (the first time, true)."""
        if not self._on_gpu:
            return bool(question)
        if self._event:
            self._event.synchronize()
        answer = bool(self._last)
        self._last = torch.empty((), dtype=torch.bool, pin_memory=True)
        self._last.copy_(question, non_blocking=True)
        self._event = torch.cuda.Event()
        self._event.record()
        return answer
