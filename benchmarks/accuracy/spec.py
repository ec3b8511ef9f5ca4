"""benchmarks/accuracy.yaml, typed and checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, PositiveInt, ValidationError, model_validator

from pipeline import faults, params, presets
from pipeline.errors import UserError
from pipeline.joint import JOINT_METHODS
from pipeline.methods import METHODS
from pipeline.params import Adapt, Params, Section, Seed

PATH = Path("benchmarks/accuracy.yaml")
CELLS = Path("benchmarks/cells")
TABLES = Path("benchmarks/tables")
SUPERVISED = "target_supervised"  # the bound: trained on the labels that adaptation never sees


class Task(Section):
    """An ordered pair of domains under a name, and what it needs of its own."""

    name: str = Field(pattern=r"[a-z0-9_]+")
    source: str
    target: str
    classes: tuple[str, ...] | None = None  # None: those that both domains share
    published: str | None = None  # the entry of published.yaml that this task repeats
    presets: tuple[str, ...] = ()  # of presets/, on top of params.yaml
    components: PositiveInt | None = (
        None  # principal components of the source; None: features as is
    )


class Spec(Section):
    """What the benchmark runs."""

    tasks: tuple[Task, ...] = Field(min_length=1)
    methods: tuple[str, ...] = Field(min_length=1)  # source-free ones, and variants
    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    baseline: str  # among the methods
    joint: tuple[str, ...] = ()  # methods that see the source
    joint_baseline: str | None = None
    seeds: tuple[Seed, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_known(self) -> "Spec":
        for name in self.methods:
            if name not in METHODS and name not in self.variants:
                known = ", ".join([*METHODS, *self.variants])
                raise ValueError(f"methods: no method or variant {name!r}; there: {known}")
        for name in self.joint:
            if name not in JOINT_METHODS:
                known = ", ".join(JOINT_METHODS)
                raise ValueError(f"joint: no method {name!r}; there: {known}")
        if self.baseline not in self.methods:
            raise ValueError(f"baseline {self.baseline!r} is not among the methods")
        if self.joint and self.joint_baseline not in self.joint:
            raise ValueError(f"joint_baseline {self.joint_baseline!r} is not among joint")
        return self

    def task(self, name: str) -> Task:
        """The task of that name. Raises UserError if there is none."""
        for task in self.tasks:
            if task.name == name:
                return task
        known = ", ".join(task.name for task in self.tasks)
        raise UserError(f"{PATH}: no task {name!r}; there: {known}")

    def adapt(self, method: str, base: Adapt) -> Adapt:
        """The parameters of a method or variant: those of params.yaml, less what it changes.

        Raises UserError for a parameter that is unknown or out of range.
        """
        changes = self.variants.get(method, {"method": method})
        try:
            return Adapt.model_validate({**base.model_dump(), **changes})
        except ValidationError as fault:
            wrong = "; ".join(
                f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in fault.errors()
            )
            raise UserError(f"{PATH}: variants.{method}: {wrong}") from None


def load(path: Path = PATH) -> Spec:
    """Reads the benchmark's file. Raises UserError, a line a fault."""
    try:
        return Spec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run from the project's top folder") from None
    except yaml.YAMLError as fault:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(fault).split())}") from None
    except ValidationError as fault:
        raise UserError("\n".join(faults.lines(path, Spec, fault))) from None


def changes(task: Task) -> list[Mapping[str, Any]]:
    """What a task changes in params.yaml: its presets, then its domains. Raises UserError."""
    classes = list(task.classes) if task.classes else None
    domains = {"source": task.source, "target": task.target, "classes": classes}
    return [*map(presets.content, task.presets), {"task": domains}]


def params_of(task: Task) -> Params:
    """params.yaml as the task changes it. Raises UserError, a line a fault."""
    return params.load(changes=changes(task))
