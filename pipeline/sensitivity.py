"""What a weight does: experiments that differ from one another in it alone.

The papers show it as a curve over the weight's values (MTRAN, ACM MM 2022, fig. 5).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.experiments import Experiment

WEIGHTS = ("lambda1", "lambda2", "lambda3")
LEAST = 3  # values; two say no more than that they differ


@dataclass(frozen=True)
class Sweep:
    """Experiments of one task and method, of the same source model and videos, by a weight's value.

    experiments  ascending by value; two may share one, if the code or the machine was another
    others       how many sweeps of this weight there are with other values of the rest
    """

    weight: str
    experiments: tuple[Experiment, ...]
    others: int

    @property
    def values(self) -> list[float]:
        """Of the weight, one an experiment."""
        return [_value(one, self.weight) for one in self.experiments]

    @property
    def labelled(self) -> bool:
        """Whether all have an accuracy."""
        return all(one.scores["adapted"] is not None for one in self.experiments)

    @property
    def held(self) -> Mapping[str, str]:
        """All parameters but the weight, which every experiment has alike."""
        params = self.experiments[0].params
        return {n: value for n, value in sorted(params.items()) if n != f"adapt.{self.weight}"}


def sweeps(found: Sequence[Experiment]) -> dict[tuple[str, str], dict[str, Sweep]]:
    """The sweep with most values of each task, method and weight that has one.

    Returns: {(task, method): {weight: sweep}}, without the pairs that have none.
    """
    pairs: dict[tuple[str, str], dict[str, Sweep]] = defaultdict(dict)
    for weight in WEIGHTS:
        groups: dict[tuple[str, str], list[list[Experiment]]] = defaultdict(list)
        for group in _alike_but_for(weight, found):
            if len({_value(one, weight) for one in group}) >= LEAST:
                groups[group[0].task, group[0].method].append(group)
        for pair, own in groups.items():
            largest = max(own, key=lambda group: len({_value(one, weight) for one in group}))
            ordered = sorted(largest, key=lambda one: (_value(one, weight), one.name))
            pairs[pair][weight] = Sweep(weight, tuple(ordered), len(own) - 1)
    return dict(sorted(pairs.items()))


def _alike_but_for(weight: str, found: Sequence[Experiment]) -> list[list[Experiment]]:
    """Experiments in groups that have everything else alike, in an order of their own."""
    groups: dict[tuple[str, ...], list[Experiment]] = defaultdict(list)
    for one in found:
        if math.isfinite(_value(one, weight)):
            rest = [f"{n}={v}" for n, v in sorted(one.params.items()) if n != f"adapt.{weight}"]
            groups[*rest, *map(str, one.inputs)].append(one)
    return [group for _, group in sorted(groups.items())]


def _value(one: Experiment, weight: str) -> float:
    """A weight's value; not a number where an old commit has none."""
    try:
        return float(one.params[f"adapt.{weight}"])
    except (KeyError, ValueError):
        return math.nan
