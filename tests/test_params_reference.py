from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field, NonNegativeFloat, PositiveInt

from pipeline import params_reference
from pipeline.errors import UserError

ROOT = Path(__file__).parent.parent
WORDS = yaml.safe_load((ROOT / params_reference.WORDS).read_text())
DEFAULTS = yaml.safe_load((ROOT / "params.yaml").read_text())


def test_the_reference_is_up_to_date() -> None:
    written = (ROOT / params_reference.REFERENCE).read_text()
    assert params_reference.page(WORDS, DEFAULTS) == written, (
        "run python -m pipeline.params_reference"
    )


def test_every_key_of_params_yaml_is_in_it() -> None:
    def leaves(tree: Any, prefix: str = "") -> set[str]:
        if not isinstance(tree, dict):
            return {prefix.rstrip(".")}
        return set().union(*(leaves(value, f"{prefix}{name}.") for name, value in tree.items()))

    told = {name for name, _ in params_reference.keys(params_reference.Params)}
    domains = {f"domains.<name>.{key}" for d in DEFAULTS["domains"].values() for key in d}
    assert leaves({k: v for k, v in DEFAULTS.items() if k != "domains"}) | domains <= told


def test_words_without_a_key_and_a_key_without_words_are_told() -> None:
    words = {**WORDS, "adapt.lamda1": {"meaning": "?"}}
    del words["adapt.lambda1"]
    with pytest.raises(UserError, match=r"no words for adapt\.lambda1; no key for adapt\.lamda1"):
        params_reference.page(words, DEFAULTS)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (PositiveInt, "integer > 0"),
        (NonNegativeFloat, "number ≥ 0"),
        (Annotated[float, Field(ge=0, lt=1)], "number ≥ 0 and < 1"),
        (Annotated[int, Field(ge=32, multiple_of=2)], "integer ≥ 32 and a multiple of 2"),
        (tuple[Annotated[int, Field(ge=0)], ...], "list of integer ≥ 0"),
        (PositiveInt | None, "integer > 0 or null"),
        (Literal["a", "b"], "`a`, `b`"),
        (tuple[str, ...] | None, "list of text or null"),
        (dict[str, str], "text to text"),
        (bool, "true, false"),
    ],
)
def test_ranges_are_told_in_words(kind: Any, told: str) -> None:
    assert params_reference.values(kind) == told
