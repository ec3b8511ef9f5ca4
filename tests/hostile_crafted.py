"""Files made to do harm, by the reader (of `hostile_readers`) that must refuse each of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from crafted_features import FEATURES
from crafted_lists import LISTS
from crafted_models import MODELS
from crafted_params import PARAMS
from crafted_pickles import PICKLES
from crafted_results import RESULTS
from crafted_shards import SHARDS
from crafted_videos import VIDEOS
from hostile_means import Crafted

CRAFTED: Mapping[str, Callable[[Path], Crafted]] = {
    **LISTS,
    **PICKLES,
    **FEATURES,
    **MODELS,
    **PARAMS,
    **SHARDS,
    **VIDEOS,
    **RESULTS,
}
