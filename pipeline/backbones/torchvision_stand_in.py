"""Stands in for torchvision where it is missing, so that pytorchvideo can be imported.

pytorchvideo 0.1.5 imports four modules of torchvision without declaring the dependency, for two
names: `RoIAlign` (detection heads) and `make_dataset` (folders of videos). No network here uses
either. PyPI has no torchvision for a CPU build of PyTorch, and the build that it has fails at
import beside one, so that the names are supplied here.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

from pipeline.errors import UserError

MODULES = (
    "torchvision",
    "torchvision.ops",
    "torchvision.datasets",
    "torchvision.datasets.folder",
)


def _unavailable(*_: object, **__: object) -> NoReturn:
    raise UserError(
        "this part of pytorchvideo (detection heads, folders of videos) needs torchvision, which "
        "is missing or does not fit the installed torch; install one that does"
    )


@contextmanager
def torchvision_supplied() -> Iterator[None]:
    """Lets pytorchvideo be imported inside the block, with or without torchvision.

    A torchvision that works is left alone. Otherwise `sys.modules` holds a stand-in until the end
    of the block, and not longer, so that nobody else takes it for the real one.
    """
    if _importable():
        yield
        return
    _forget()
    for name in MODULES:
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, loader=None, is_package=True)
        module.__path__ = []
        sys.modules[name] = module
    vars(sys.modules["torchvision.ops"])["RoIAlign"] = _unavailable
    vars(sys.modules["torchvision.datasets.folder"])["make_dataset"] = _unavailable
    try:
        yield
    finally:
        _forget()


def _importable() -> bool:
    try:
        for name in MODULES:
            importlib.import_module(name)
    except (ImportError, RuntimeError, OSError):  # RuntimeError: built for another torch
        return False
    return True


def _forget() -> None:
    for name in [n for n in sys.modules if n == "torchvision" or n.startswith("torchvision.")]:
        del sys.modules[name]
