"""Files of others that are broken or made to do harm: a few of each kind; tests/faults has more."""

from functools import cache

import pytest
from fuzzing import Findings, craft
from hostile_readers import READERS

MUTANTS = 3  # of each reader, beside what was made for it


@cache
def findings() -> dict[str, Findings]:
    return craft(list(READERS), MUTANTS)


@pytest.mark.parametrize("reader", READERS)
def test_a_hostile_file_is_refused_in_plain_words_and_does_no_harm(reader: str) -> None:
    found = findings()[reader]
    assert not found.held_against, found
    assert len(found.read) + len(found.refused) >= MUTANTS


@pytest.mark.parametrize("reader", READERS)
def test_only_what_was_broken_by_chance_may_still_be_read(reader: str) -> None:
    assert set(findings()[reader].read) <= set(map(str, range(MUTANTS)))
