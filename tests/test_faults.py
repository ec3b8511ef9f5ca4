from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline import faults


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Room(Form):
    width: float = Field(gt=0)
    name: str = ""


class House(Form):
    kitchen: Room
    rooms: dict[str, Room] = {}
    floors: tuple[int, ...] = ()

    @field_validator("floors")
    @classmethod
    def _no_thirteenth(cls, floors: tuple[int, ...]) -> tuple[int, ...]:
        if 13 in floors:
            raise ValueError("there is no floor 13")
        return floors


GOOD: dict[str, Any] = {"kitchen": {"width": 2.5}}


def told(content: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        House.model_validate(content)
    return faults.lines(Path("house.yaml"), House, caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, "kitchen: missing"),
        ({"kitchen": {}}, "kitchen.width: missing"),
        ({"kitchen": {"width": 0}}, "kitchen.width: should be greater than 0; got 0"),
        ({"kitchen": 3}, "kitchen: should be keys and values; got 3"),
        (GOOD | {"rooms": 3}, "rooms: should be keys and values; got 3"),
        (GOOD | {"floors": "x"}, "floors: should be a list; got 'x'"),
        (GOOD | {"floors": [13]}, "floors: there is no floor 13"),
        (GOOD | {"room": {}}, "room: unknown key; did you mean 'rooms'?"),
        (GOOD | {"zzz": 1}, "zzz: unknown key; known: kitchen, rooms, floors"),
        (
            GOOD | {"rooms": {"hall": {"width": 1, "nam": ""}}},
            "rooms.hall.nam: unknown key; did you mean 'name'?",
        ),
        (
            GOOD | {"rooms": {"kitchen": {"width": 1, "zzz": ""}}},
            "rooms.kitchen.zzz: unknown key; known: width, name",
        ),
    ],
)
def test_a_fault_is_one_line_with_file_key_and_what_came(content: Any, expected: str) -> None:
    assert told(content) == [f"house.yaml: {expected}"]


def test_a_content_of_another_form_has_no_key() -> None:
    assert told(None) == ["house.yaml: should be keys and values; got None"]


def test_a_misspelt_key_is_not_missing_too() -> None:
    assert told({"kitchin": {"width": 1}}) == [
        "house.yaml: kitchin: unknown key; did you mean 'kitchen'?"
    ]


def test_a_key_that_is_missing_beside_a_misspelling_of_another_is_told() -> None:
    assert told({"kitchen": {"nam": ""}}) == [
        "house.yaml: kitchen.width: missing",
        "house.yaml: kitchen.nam: unknown key; did you mean 'name'?",
    ]
