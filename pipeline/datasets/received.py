"""A model that was received in place of a source's videos, see `pipeline.handover`."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.datasets.listing import Listed
from pipeline.handover import bundle
from pipeline.index import MODEL_SUFFIX

LAYOUT = "what `python -m pipeline.handover receive` puts there"


def list_videos(root: Path, classes: Mapping[str, str] | None) -> list[Listed]:
    """The model of each seed in place of a video, without a label.

    Args:
        root: the domain's folder, or a link to it.
        classes: of no effect; params.yaml has none for such a domain.

    Raises:
        UserError: the files are not what their digests say, or not those of a model.
    """
    names = [name for name in bundle.verified(root) if name.endswith(MODEL_SUFFIX)]
    return [Listed(name, name, "train") for name in names]
