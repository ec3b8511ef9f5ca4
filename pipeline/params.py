"""params.yaml as typed, frozen, validated sections; nothing else reads the file."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from pipeline.errors import UserError

Fraction = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A section of params.yaml: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Task(Section):
    """An ordered pair of domains, and the classes to tell apart."""

    source: str
    target: str
    classes: tuple[str, ...] | None = None  # None: those that both domains share

    @model_validator(mode="after")
    def _two_domains(self) -> "Task":
        if self.source == self.target:
            raise ValueError(f"source and target are both {self.source!r}; a task needs two")
        return self


class Domain(Section):
    """A set of videos in data/raw/<name> (a folder, or a link to one)."""

    dataset: Literal["demo", "epic_kitchens", "folder", "hmdb51", "olympic_sports", "ucf101"]
    classes: str | tuple[str, ...] | None = None  # a class map's name, a list, or all
    kitchen: Literal["D1", "D2", "D3"] | None = None  # epic_kitchens only
    skip: dict[str, str] = {}  # videos to leave out: key -> reason

    @model_validator(mode="after")
    def _kitchen_belongs_to_epic(self) -> "Domain":
        if (self.dataset == "epic_kitchens") != (self.kitchen is not None):
            raise ValueError("`kitchen` (D1, D2 or D3) goes with dataset epic_kitchens, only")
        return self


class Demo(Section):
    """How many videos the rendered demo domains hold."""

    seed: Seed
    train_per_class: PositiveInt
    test_per_class: PositiveInt


class Clips(Section):
    """How a video is cut into clips: T segments, W windows a segment, F frames a window."""

    segments: PositiveInt
    windows: PositiveInt
    frames: Annotated[int, Field(ge=8)]
    sampling: Literal["spread", "consecutive"]


class Decode(Section):
    """Frames as the networks see them: `size` x `size` px."""

    size: Annotated[int, Field(ge=32, le=1024, multiple_of=2)]
    resize: Literal["squash", "crop"]


class Flow(Section):
    """TV-L1 optical flow, clipped to +-`bound` px."""

    implementation: Literal["numba", "opencv"]
    bound: PositiveFloat


class Features(Section):
    """The frozen backbone that turns clips into features."""

    backbone: Literal["i3d", "i3d_nano", "i3d_r50"]
    precision: Literal["float32", "bfloat16"]


class Network(Section):
    """The relation network above the features (MTRAN, section 3)."""

    layers: PositiveInt
    dropout: Fraction


class Pretrain(Section):
    """Training of the source model."""

    epochs: PositiveInt
    lr: PositiveFloat
    batch_size: Annotated[int, Field(ge=2)]
    weight_decay: NonNegativeFloat
    label_smoothing: Fraction


class Adapt(Section):
    """Adaptation of the source model to the unlabelled target."""

    method: Literal["source_only", "shot", "mtran", "mtran_without_mra", "mtran_without_tra"]
    lambda1: NonNegativeFloat  # weight of the pseudo-label loss
    lambda2: NonNegativeFloat  # weight of multimodal relative alignment
    lambda3: NonNegativeFloat  # weight of temporal relative alignment
    alpha: PositiveFloat  # mixing factors are drawn from Beta(alpha, alpha)
    tau: PositiveFloat  # below 1 the learning target leans to the confident video
    epochs: PositiveInt
    lr: PositiveFloat
    batch_size: Annotated[int, Field(ge=2)]


class Evaluate(Section):
    """What is measured."""

    embedding: PositiveInt  # videos in the t-SNE picture, at most


class Engine(Section):
    """Where per-video work runs; never changes a result."""

    workers: PositiveInt | None = None  # None: one a core


class Params(Section):
    """All of params.yaml."""

    task: Task
    domains: dict[str, Domain]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    demo: Demo
    clips: Clips
    decode: Decode
    flow: Flow
    features: Features
    network: Network
    pretrain: Pretrain
    adapt: Adapt
    evaluate: Evaluate
    engine: Engine = Engine()

    @field_validator("domains")
    @classmethod
    def _names_are_safe(cls, domains: dict[str, Domain]) -> dict[str, Domain]:
        for name in domains:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
                raise ValueError(f"{name!r}: a domain's name has letters, digits, - and _ only")
        return domains

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed stands twice; equal seeds give equal runs")
        return seeds

    @model_validator(mode="after")
    def _task_names_domains(self) -> "Params":
        for role in ("source", "target"):
            name = getattr(self.task, role)
            if name not in self.domains:
                known = ", ".join(sorted(self.domains))
                raise ValueError(f"task.{role}: no domain {name!r} under `domains`; there: {known}")
        return self


def load(path: Path = Path("params.yaml")) -> Params:
    """Reads and checks params.yaml.

    Raises UserError: the file is missing or no YAML, a key is missing or unknown, a value has
    the wrong type or is out of range; one line a fault, with the key's full name.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run from the project's top folder") from None
    except yaml.YAMLError as fault:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(fault).split())}") from None
    try:
        return Params.model_validate(content)
    except ValidationError as fault:
        raise UserError("\n".join(_describe(path, row) for row in fault.errors())) from None


def _describe(path: Path, row: Any) -> str:
    """One pydantic fault as one line: file, key, what is wrong, what came."""
    key = ".".join(str(part) for part in row["loc"])
    if row["type"] == "extra_forbidden":
        return f"{path}: {key}: unknown key{_suggestion(row['loc'])}"
    if row["type"] == "missing":
        return f"{path}: {key}: missing"
    if row["type"] == "value_error":
        return f"{path}: {key + ': ' if key else ''}{row['ctx']['error']}"
    return f"{path}: {key}: {row['msg'][0].lower()}{row['msg'][1:]}; got {row['input']!r}"


def _suggestion(loc: tuple[Any, ...]) -> str:
    """The known key closest to a misspelt one, as a question."""
    section: type[BaseModel] = Params
    for part in loc[:-1]:
        field = section.model_fields.get(str(part))
        inner = field.annotation if field else Domain
        section = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else Params
    known = section.model_fields
    close = difflib.get_close_matches(str(loc[-1]), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
