"""Known numbers of videos, to find out early that lists are not the official ones.

UCF101 and HMDB51: split 1, per own class. UCF-HMDB_full and _small and the UCF101 half of
UCF-Olympic follow from them (1438/571 and 840/360, 482/189 and 350/150, 601/240). EPIC-Kitchens:
the MM-SADA splits, per verb. Of Olympic Sports no numbers per split are certain, so none is here.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from pipeline.datasets.disk import shortened
from pipeline.datasets.listing import Split
from pipeline.errors import UserError

Counted = Literal["ucf101", "hmdb51", "olympic_sports"]
Kitchen = Literal["D1", "D2", "D3"]
VERBS = ("take", "put", "open", "close", "wash", "cut", "mix", "pour")

# (train, test)
HMDB51_EVERY_CLASS = (70, 30)
UCF101: Mapping[str, tuple[int, int]] = {
    "Archery": (104, 41),
    "Basketball": (99, 35),
    "Biking": (96, 38),
    "BoxingPunchingBag": (114, 49),
    "BoxingSpeedBag": (97, 37),
    "CleanAndJerk": (79, 33),
    "Diving": (105, 45),
    "Fencing": (77, 34),
    "GolfSwing": (100, 39),
    "HorseRiding": (115, 49),
    "PoleVault": (109, 40),
    "PullUps": (72, 28),
    "Punch": (121, 39),
    "PushUps": (72, 30),
    "RockClimbingIndoor": (103, 41),
    "RopeClimbing": (85, 34),
    "SoccerPenalty": (96, 41),
    "TennisSwing": (117, 49),
    "ThrowDiscus": (92, 38),
    "WalkingWithDog": (87, 36),
}
EPIC_TRAIN: Mapping[Kitchen, tuple[int, ...]] = {
    "D1": (421, 383, 231, 128, 223, 71, 42, 44),
    "D2": (715, 692, 245, 214, 298, 89, 113, 129),
    "D3": (919, 1121, 450, 367, 808, 110, 53, 69),
}
EPIC_TEST: Mapping[Kitchen, tuple[int, ...]] = {
    "D1": (124, 104, 52, 34, 66, 13, 20, 22),
    "D2": (208, 217, 68, 56, 136, 14, 26, 25),
    "D3": (241, 280, 102, 71, 245, 29, 1, 5),
}


def known(dataset: Counted, own_class: str) -> tuple[int, int] | None:
    """How many videos of a class the official split 1 has: (train, test), or None if unknown."""
    if dataset == "hmdb51":
        return HMDB51_EVERY_CLASS
    return UCF101.get(own_class) if dataset == "ucf101" else None


def known_in_kitchen(kitchen: Kitchen, verb: str) -> tuple[int, int]:
    """How many segments of a verb MM-SADA's split of a kitchen has: (train, test)."""
    position = VERBS.index(verb)
    return EPIC_TRAIN[kitchen][position], EPIC_TEST[kitchen][position]


def check(
    dataset: Counted,
    own_classes: Collection[str],
    found: Mapping[tuple[str, Split], int],
    where: Path,
) -> None:
    """Compares the known numbers with those of a full set, (own class, split) -> videos.

    Raises:
        UserError: they differ, with every class that does.
    """
    pairs = {own: known(dataset, own) for own in own_classes}
    expected = {own: pair for own, pair in pairs.items() if pair is not None}
    _compare(expected, found, where, f"the official split 1 of {dataset}")


def check_kitchen(
    kitchen: Kitchen,
    verbs: Collection[str],
    found: Mapping[tuple[str, Split], int],
    where: Path,
) -> None:
    """The same for a kitchen of EPIC-Kitchens, whose segments are all there.

    Raises:
        UserError: they differ, with every verb that does.
    """
    expected = {verb: known_in_kitchen(kitchen, verb) for verb in verbs}
    _compare(expected, found, where, f"MM-SADA's split {kitchen}")


def _compare(
    expected: Mapping[str, tuple[int, int]],
    found: Mapping[tuple[str, Split], int],
    where: Path,
    which: str,
) -> None:
    wrong = []
    for own in sorted(expected):
        came = (found.get((own, "train"), 0), found.get((own, "test"), 0))
        if came != expected[own]:
            train, test = expected[own]
            wrong.append(f"{own}: expected {train} train and {test} test, found {came}")
    if wrong:
        raise UserError(
            f"{where}: the lists are not those of {which}; get the official ones, or use "
            f"dataset: folder for a split of your own:\n{shortened(wrong)}"
        )
