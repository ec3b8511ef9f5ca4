"""Class maps of the public benchmarks: a data set's own class name -> the task's class name.

UCF-HMDB_full and _small: Chen et al., "Temporal Attentive Alignment for Large-Scale Video Domain
Adaptation", ICCV 2019; the shared names are HMDB51's. UCF-Olympic: the same six pairs of classes
as there, under the names of Olympic Sports. EPIC-Kitchens: the eight verbs of Munro and Damen,
"Multi-Modal Domain Adaptation for Fine-Grained Action Recognition", CVPR 2020.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from pipeline.datasets import Name
from pipeline.datasets.counts import VERBS
from pipeline.datasets.selection import composed
from pipeline.errors import UserError

MapName = Literal["ucf_hmdb_full", "ucf_hmdb_small", "ucf_olympic", "epic"]

UCF_HMDB_FULL = {
    "RockClimbingIndoor": "climb",
    "RopeClimbing": "climb",
    "Fencing": "fencing",
    "GolfSwing": "golf",
    "SoccerPenalty": "kick_ball",
    "PullUps": "pullup",
    "BoxingPunchingBag": "punch",
    "BoxingSpeedBag": "punch",
    "Punch": "punch",
    "PushUps": "pushup",
    "Biking": "ride_bike",
    "HorseRiding": "ride_horse",
    "Basketball": "shoot_ball",
    "Archery": "shoot_bow",
    "WalkingWithDog": "walk",
}
UCF_HMDB_SMALL = {
    "GolfSwing": "golf",
    "PullUps": "pullup",
    "Biking": "ride_bike",
    "HorseRiding": "ride_horse",
    "Basketball": "shoot_ball",
}
UCF_OLYMPIC = {
    "Basketball": "basketball_layup",
    "CleanAndJerk": "clean_and_jerk",
    "ThrowDiscus": "discus_throw",
    "Diving": "diving_springboard_3m",
    "PoleVault": "pole_vault",
    "TennisSwing": "tennis_serve",
}


def _unchanged(names: Sequence[str]) -> dict[str, str]:
    return {name: name for name in names}


MAPS: Mapping[MapName, Mapping[Name, Mapping[str, str]]] = {
    "ucf_hmdb_full": {
        "ucf101": UCF_HMDB_FULL,
        "hmdb51": _unchanged(sorted(set(UCF_HMDB_FULL.values()))),
    },
    "ucf_hmdb_small": {
        "ucf101": UCF_HMDB_SMALL,
        "hmdb51": _unchanged(sorted(set(UCF_HMDB_SMALL.values()))),
    },
    "ucf_olympic": {
        "ucf101": UCF_OLYMPIC,
        "olympic_sports": _unchanged(sorted(set(UCF_OLYMPIC.values()))),
    },
    "epic": {"epic_kitchens": _unchanged(VERBS)},
}


def class_map(name_or_list: str | Sequence[str], dataset: Name) -> Mapping[str, str]:
    """Own class name -> the task's class name.

    Args:
        name_or_list: the name of a map above, or a list of class names, each its own.
        dataset: whose own names; a user's own data and the demo are taken to use a map's task
            names.

    Raises:
        UserError: no such map, a map without this data set, an empty list.
    """
    if not isinstance(name_or_list, str):
        if not name_or_list:
            raise UserError("classes: expected class names, found an empty list; name some")
        return _unchanged([composed(name) for name in name_or_list])
    maps = next((maps for name, maps in MAPS.items() if name == name_or_list), None)
    if maps is None:
        raise UserError(
            f"classes: no class map {name_or_list!r}; there are {', '.join(get_args(MapName))}; "
            "for classes of your own give a list of their names"
        )
    if dataset in ("folder", "demo", "imported"):
        return _unchanged(sorted({task for own in maps.values() for task in own.values()}))
    if dataset not in maps:
        raise UserError(
            f"classes: the class map {name_or_list} has {', '.join(maps)}, not {dataset}; "
            "choose another map, or give a list of class names"
        )
    return maps[dataset]
