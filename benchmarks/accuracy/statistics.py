"""Is the difference between two methods more than luck? Tests of pairs, and of orders."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sign_flip_p(differences: Floats, flips: int = 20_000) -> float:
    r"""Two-sided p-value of paired differences whose sign would be chance: (n,) -> (0, 1].

    The share of random sign flips whose mean is at least as far from 0, the observed one counted
    in: :math:`(1 + \#\{|\bar{s d}| \ge |\bar d|\}) / (1 + \text{flips})` (Phipson and Smyth, 2010).
    The same differences give the same value.
    """
    generator = np.random.default_rng(0)
    observed = abs(differences.mean())
    as_far = 0
    for start in range(0, flips, 1000):
        count = min(1000, flips - start)
        signs = generator.integers(0, 2, (count, len(differences))) * 2 - 1
        means = np.abs((signs * differences).mean(axis=1))
        as_far += int((means >= observed - 1e-12).sum())
    return (1 + as_far) / (1 + flips)


def rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's correlation of two lists (n,), equal values sharing their mean rank; in [-1, 1].

    NaN for fewer than 2 values, or where one list is constant.
    """
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: Floats) -> Floats:
    less = (values[None] < values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)
    return less + (equal + 1) / 2
