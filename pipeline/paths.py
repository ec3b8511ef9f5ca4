"""Where things are, below the project's top folder; dvc.yaml names the same paths."""

from pathlib import Path

MODELS = Path("models")
SOURCE_MODEL = MODELS / "source"
ADAPTED_MODEL = MODELS / "adapted"
JOINT_MODEL = MODELS / "joint"
FINETUNED_MODEL = MODELS / "finetuned"
RESULTS = Path("results")


def raw(domain: str) -> Path:
    """A domain's videos: a folder, or a link to one."""
    return Path("data/raw") / domain


def videos(domain: str) -> Path:
    """The domain's videos, without labels."""
    return Path("data/index") / domain / "videos.csv"


def labels(domain: str) -> Path:
    """The labels of its videos; `pretrain` (source), `evaluate` (target), `joint` read them."""
    return Path("data/index") / domain / "labels.csv"


def classes(domain: str) -> Path:
    """The names of its classes."""
    return Path("data/index") / domain / "classes.csv"


def frames(domain: str) -> Path:
    """Shards of decoded frames."""
    return Path("data/frames") / domain


def flow(domain: str) -> Path:
    """Shards of coded optical flow."""
    return Path("data/flow") / domain


def pictures(domain: str) -> Path:
    """Shards of small pictures of the videos."""
    return Path("data/pictures") / domain


def features(domain: str) -> Path:
    """The feature store."""
    return Path("data/features") / domain


def lock(stage: str) -> Path:
    """Held while a stage that writes models or results is at work in this folder."""
    return Path(".staging") / f".{stage}.lock"


def backbone(name: str) -> Path:
    """The weights of a backbone."""
    return MODELS / name
