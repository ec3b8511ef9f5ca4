"""Operations that PyTorch lacks, or rounds in a vector otherwise than behind the last vector.

TV-L1 amplifies rounding; with these the batched flow rounds as the Numba files do. A product of two
float32 is exact in float64, so only one result in some 2^29 is rounded twice.
"""

from torch import Tensor


def fma(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Returns a * b + c, float32, rounded once."""
    return (a.double() * b.double() + c.double()).float()


def root(x: Tensor, y: Tensor) -> Tensor:
    """Returns sqrt(x^2 + y^2), float32, rounded once; OpenCV takes it in float64 too."""
    return (x.double() ** 2 + y.double() ** 2).sqrt().float()
