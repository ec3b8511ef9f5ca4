"""All that reads files of others, by name."""

from collections.abc import Mapping

from hostile_arrays import FEATURES, SHARED
from hostile_lists import LISTS, PARAMS, PICKLES, TABLES
from hostile_results import RESULTS
from hostile_videos import SEEN, VIDEOS
from hostile_words import Reader

READERS: Mapping[str, Reader] = {
    **VIDEOS,
    **LISTS,
    **TABLES,
    **PICKLES,
    **PARAMS,
    **FEATURES,
    **SHARED,
    **SEEN,
    **RESULTS,
}
