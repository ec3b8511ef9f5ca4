"""params.yaml as typed, frozen, validated sections; nothing else reads the file."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    StrictBool,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline import faults, plain_yaml
from pipeline.errors import UserError

DOMAIN_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
Fraction = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
# bounds that no experiment needs to cross: one digit too many must not fill a machine's memory
Epochs = Annotated[int, Field(gt=0, le=100_000)]
BatchSize = Annotated[int, Field(ge=2, le=2**20)]
Rendered = Annotated[int, Field(gt=0, le=10_000)]
FRAMES = 2**16  # of all clips of a video


class Section(BaseModel):
    """A section of params.yaml: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _neither_true_nor_false(cls, value: Any, info: ValidationInfo) -> Any:
        """To Python they are 1 and 0, and YAML reads them out of a bare yes, no, on, off."""
        if info.field_name and cls.model_fields[info.field_name].annotation is bool:
            return value
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, bool):
                raise ValueError(
                    f"true or false belong nowhere here (a name needs quotes); got {part}"
                )
        return value


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

    dataset: Literal[
        "demo",
        "epic_kitchens",
        "folder",
        "hmdb51",
        "imported",
        "olympic_sports",
        "received",
        "ucf101",
    ]
    classes: str | tuple[str, ...] | None = None  # a class map's name, a list, or all
    kitchen: Literal["D1", "D2", "D3"] | None = None  # epic_kitchens only
    skip: dict[str, str] = {}  # videos to leave out: key -> reason

    @field_validator("classes", mode="before")
    @classmethod
    def _map_or_list(cls, value: Any) -> Any:
        if not (value is None or isinstance(value, str | list)):
            raise ValueError(f"should be a class map's name or a list of classes; got {value!r}")
        return value

    @model_validator(mode="after")
    def _kitchen_belongs_to_epic(self) -> "Domain":
        if (self.dataset == "epic_kitchens") != (self.kitchen is not None):
            raise ValueError("`kitchen` (D1, D2 or D3) goes with dataset epic_kitchens, only")
        return self

    @model_validator(mode="after")
    def _a_received_model_is_taken_as_it_is(self) -> "Domain":
        if self.dataset == "received" and (self.classes is not None or self.skip):
            raise ValueError("a received model is taken as it is: no `classes`, no `skip`")
        return self


class Demo(Section):
    """How many videos the rendered demo domains hold."""

    seed: Seed
    train_per_class: Rendered
    test_per_class: Rendered


class Clips(Section):
    """How a video is cut into clips: T segments, W windows a segment, F frames a window."""

    segments: Annotated[int, Field(gt=0, le=FRAMES)]
    windows: Annotated[int, Field(gt=0, le=FRAMES)]
    frames: Annotated[int, Field(ge=8, le=FRAMES)]
    sampling: Literal["spread", "consecutive", "all"]

    @model_validator(mode="after")
    def _fit_into_memory(self) -> "Clips":
        count = self.segments * self.windows * self.frames
        if count > FRAMES:
            raise ValueError(f"segments x windows x frames is {count}, at most {FRAMES} are read")
        return self


class Decode(Section):
    """Frames as the networks see them: `size` x `size` px."""

    size: Annotated[int, Field(ge=32, le=1024, multiple_of=2)]
    resize: Literal["squash", "crop"]


class Flow(Section):
    """TV-L1 optical flow, clipped to +-`bound` px."""

    implementation: Literal["auto", "native", "fast", "numba", "cuda", "opencv"]
    bound: PositiveFloat


class Features(Section):
    """The frozen backbone that turns clips into features, or `imported`: they are there already."""

    backbone: Literal["i3d", "i3d_nano", "i3d_r50", "i3d_tuned", "i3d_nano_tuned", "imported"]
    precision: Literal["float32", "bfloat16"]
    stream: StrictBool = False  # straight from the videos; never changes a result


class Network(Section):
    """The relation network above the features (MTRAN, section 3)."""

    layers: Annotated[int, Field(gt=0, le=100)]
    dropout: Fraction


class Pretrain(Section):
    """Training of the source model."""

    epochs: Epochs
    lr: PositiveFloat
    batch_size: BatchSize
    weight_decay: NonNegativeFloat
    label_smoothing: Fraction


class Adapt(Section):
    """Adaptation of the source model to the unlabelled target."""

    method: Literal[
        "source_only",
        "shot_im",
        "shot",
        "shot_official",
        "three_c_gan",
        "sfda",
        "hcl",
        "mtran",
        "mtran_without_mra",
        "mtran_without_tra",
        "m_mmd",
        "mt_absolute",
        "mt_mix",
        "cleanadapt",
        "cleanadapt_teacher",
        "sthc",
        "atcon",
    ]
    # target: its clips get the mean and deviation of the source's; source: they stay as they are
    statistics: Literal["source", "target"]
    lambda1: NonNegativeFloat  # weight of the pseudo-label loss
    lambda2: NonNegativeFloat  # weight of multimodal relative alignment
    lambda3: NonNegativeFloat  # weight of temporal relative alignment
    alpha: PositiveFloat  # mixing factors are drawn from Beta(alpha, alpha)
    tau: PositiveFloat  # below 1 the learning target leans to the confident video
    epochs: Epochs
    lr: PositiveFloat
    batch_size: BatchSize
    # which epoch's model counts: the last, or the best by a label-free score
    select: Literal[
        "last",
        "mean_entropy",
        "marginal_entropy",
        "information_maximisation",
        "soft_neighbourhood_density",
        "clip_consistency",
        "mixup_consistency",
    ]


TwoBranches = Literal[
    "source_only_late",
    "target_supervised",
    "adabn",
    "cross_modal_contrastive",
    "contrastive_modality_only",
    "contrastive_domain_only",
    "contrastive_without_head",
    "contrastive_head_in_both",
    "contrastive_same_windows",
    "contrastive_with_pseudo_labels",
    "contrastive_as_published",
    "contrastive_literal",
    "contrastive_adversarial",
    "adversarial_adversarial",
    "pseudo_labelling",
    "mmd",
    "adversarial",
    "mm_sada",
    "mm_sada_without_domain",
]
"""Methods whose network is RGB and flow apart until their logits: of features, or of frames."""


class Joint(Section):
    """Training on labelled source and unlabelled target at once; a stage of its own."""

    method: Literal[TwoBranches, "mcd", "ta3n", "sava", "tcon", "source_only_batch_norm"] = (
        "cross_modal_contrastive"
    )
    lambda_: NonNegativeFloat | None = None  # weight of all but cross-entropy; None: the method's
    tau: PositiveFloat = 0.1  # temperature of contrastive losses
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.8  # of pseudo-labels' probability
    epochs: Epochs = 50
    lr: PositiveFloat = 0.001
    batch_size: BatchSize = 128  # of both domains together


class Finetune(Section):
    """Training of the two-stream backbone itself on frames and flow; a stage of its own."""

    method: Literal[TwoBranches, "cleanadapt", "cleanadapt_teacher"] = "cross_modal_contrastive"
    backbone: Literal["i3d", "i3d_nano"] = "i3d_nano"
    lambda_: NonNegativeFloat | None = None  # weight of all but cross-entropy; None: the method's
    tau: PositiveFloat = 0.1  # temperature of contrastive losses
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.8  # of pseudo-labels' probability
    epochs: Epochs = 5
    lr: PositiveFloat = 0.001
    drop_at: Fraction | None = 0.5  # share of the run after which lr is a tenth
    batch_size: BatchSize = 16  # of both domains together
    weight_decay: NonNegativeFloat = 0.0
    micro_batch: Annotated[int, Field(ge=1, le=2**20)] | None = None  # clips at once; None: all
    precision: Literal["float32", "bfloat16"] = "float32"  # of the backbones' activations
    statistics: Literal["own", "stored"] = "own"  # of batch normalisation in training
    crop: Annotated[float, Field(gt=0, le=1)] = 0.8  # smallest share of a side that is seen
    mirror: StrictBool = True  # half of the training clips
    test_windows: Annotated[int, Field(ge=1, le=1024)] = 5  # whose logits are averaged
    evaluations: Annotated[int, Field(ge=1, le=100_000)] = 1  # last epochs whose accuracy counts


class Pictures(Section):
    """The small pictures of videos that the report shows."""

    height: Annotated[int, Field(ge=16, le=256)] | None = 96  # px; None: there are none


class Evaluate(Section):
    """What is measured."""

    embedding: Annotated[int, Field(gt=0, le=10_000)]  # videos in the t-SNE picture, at most


class Retrieval(Section):
    """The target's test videos beside the source's training videos."""

    nearest: Annotated[int, Field(gt=0, le=10)] = 3  # source videos found for a target video
    embedding: Annotated[int, Field(gt=0, le=10_000)] = 250  # of each domain, in the t-SNE


class Engine(Section):
    """Where per-video work runs; never changes a result."""

    kind: Literal["local", "ray"] = "local"  # processes of this machine, or a Ray cluster
    address: str | None = None  # of a Ray cluster; None: a cluster of this machine alone
    workers: Annotated[int, Field(gt=0, le=1024)] | None = None  # at once; None: one a core
    video_timeout: PositiveFloat | None = 3600  # seconds of work a video and stage; None: no limit


class Params(Section):
    """All of params.yaml."""

    task: Task
    domains: dict[str, Domain]
    seeds: tuple[Seed, ...]
    demo: Demo
    clips: Clips
    decode: Decode
    flow: Flow
    features: Features
    network: Network
    pretrain: Pretrain
    adapt: Adapt
    joint: Joint = Joint()
    finetune: Finetune = Finetune()
    pictures: Pictures = Pictures()
    evaluate: Evaluate
    retrieval: Retrieval = Retrieval()
    engine: Engine = Engine()

    @field_validator("domains")
    @classmethod
    def _names_are_safe(cls, domains: dict[str, Domain]) -> dict[str, Domain]:
        for name in domains:
            if not re.fullmatch(DOMAIN_NAME, name):
                raise ValueError(f"{name!r}: a domain's name has letters, digits, - and _ only")
        return domains

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds:
            raise ValueError("at least one seed is needed; got []")
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

    @model_validator(mode="after")
    def _a_received_model_has_no_videos(self) -> "Params":
        if self.domains[self.task.target].dataset == "received":
            raise ValueError(
                f"task.target: {self.task.target} is a received model, without videos to adapt to; "
                "it can be the source"
            )
        return self

    @model_validator(mode="after")
    def _imported_features_are_of_imported_domains(self) -> "Params":
        backbone = self.features.backbone
        for name in (self.task.source, self.task.target):
            dataset = self.domains[name].dataset
            if dataset == "received":
                continue
            if (dataset == "imported") != (backbone == "imported"):
                raise ValueError(
                    f"features.backbone: {backbone} does not fit domains.{name}, whose dataset is "
                    f"{dataset}; backbone imported and dataset imported go together"
                )
        return self

    def domain(self, name: str) -> Domain:
        """The domain of that name. Raises UserError if there is none."""
        if name not in self.domains:
            known = ", ".join(sorted(self.domains))
            raise UserError(f"no domain {name!r} under `domains` in params.yaml; there: {known}")
        return self.domains[name]


def load(path: Path = Path("params.yaml"), changes: Sequence[Mapping[str, Any]] = ()) -> Params:
    """Reads params.yaml, puts `changes` over it in their order, and checks what comes of it.

    Raises UserError: the file is missing or no YAML, a key is missing, unknown or given twice, a
    value has the wrong type or is out of range; one line a fault, with the key's full name.
    """
    content = plain_yaml.read(path)
    for change in changes:
        content = changed(content, change)
    try:
        return Params.model_validate(content)
    except ValidationError as fault:
        raise UserError("\n".join(faults.lines(path, Params, fault))) from None


def changed(content: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The content with other values at the leaves that the change names."""
    return {**content} | {
        key: changed(content.get(key) or {}, value) if isinstance(value, Mapping) else value
        for key, value in change.items()
    }
