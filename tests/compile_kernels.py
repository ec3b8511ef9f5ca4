"""Compiles the flow's kernels for an NVIDIA GPU of compute capability 8.0; none is needed."""

from typing import Any

from triton import compile as compiled
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from pipeline.flow import triton_iteration, triton_median, triton_warp

CONSTANTS = {"depth": 3, "height": 32, "lanes": 32, "pixels": 256}
FLOATS = {"l_t", "theta", "taut", "enough"}
ARRAYS = {"state", "data", "change", "frames", "table"}


def kind(name: str) -> str:
    if name in CONSTANTS:
        return "constexpr"
    return "*fp32" if name in ARRAYS else "fp32" if name in FLOATS else "i32"


def compile_kernel(kernel: Any) -> bool:
    names = kernel.arg_names
    signature = {name: "*i32" if name == "begun" else kind(name) for name in names}
    constants = {(names.index(name),): CONSTANTS[name] for name in names if name in CONSTANTS}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    options = {"num_warps": 1 if "lanes" in names else 8, "enable_fp_fusion": False}
    return bool(compiled(source, target=GPUTarget("cuda", 80, 32), options=options).asm["cubin"])


if __name__ == "__main__":
    for kernel in (triton_iteration.iterate, triton_median.median_5x5, triton_warp.linearise):
        if compile_kernel(kernel):
            print(kernel.fn.__name__)
