"""Several runs as one: the same tensors of each, stacked along a new first axis, and back.

A tree is a tensor, or a mapping or named tuple of trees.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Tree = TypeVar("Tree")
Tensors = dict[str, Tensor]


def stack(trees: Sequence[Tree]) -> Tree:
    """Trees of one form, one a run -> the same form, every tensor with the runs first."""
    return _combined(trees)


def _combined(trees: Sequence[Any]) -> Any:
    first = trees[0]
    if isinstance(first, Tensor):
        return torch.stack(list(trees))
    if isinstance(first, Mapping):
        return {name: _combined([tree[name] for tree in trees]) for name in first}
    return type(first)(*(_combined(parts) for parts in zip(*trees, strict=True)))


def pick(tree: Tree, run: int) -> Tree:
    """One run's part of a stacked tree."""
    return _part(tree, run)


def _part(tree: Any, run: int) -> Any:
    if isinstance(tree, Tensor):
        return tree[run]
    if isinstance(tree, Mapping):
        return {name: _part(part, run) for name, part in tree.items()}
    return type(tree)(*(_part(part, run) for part in tree))


def stacked_weights(modules: Sequence[nn.Module]) -> Tensors:
    """Copies of the weights of modules of one shape, by name, each (runs, ...)."""
    with torch.no_grad():
        return {
            name: torch.stack([module.state_dict()[name] for module in modules])
            for name in modules[0].state_dict()
        }
