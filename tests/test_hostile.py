"""Files of others that are broken or made to do harm: a few of each kind; tests/faults has more."""

from functools import cache

import pytest
from fuzzing import Findings, craft, fuzz
from hostile_crafted import CRAFTED
from hostile_readers import READERS

MUTANTS = 8  # of each reader


@cache
def crafted() -> dict[str, Findings]:
    return craft(list(CRAFTED))


@cache
def mutants() -> dict[str, Findings]:
    return fuzz(list(READERS), MUTANTS)


@pytest.mark.parametrize("reader", CRAFTED)
def test_what_was_made_to_do_harm_is_refused_and_does_none(reader: str) -> None:
    findings = crafted()[reader]
    assert not findings.held_against, findings
    assert findings.read == []
    assert findings.refused


@pytest.mark.parametrize("reader", READERS)
def test_a_broken_file_is_refused_in_plain_words_or_read(reader: str) -> None:
    findings = mutants()[reader]
    assert not findings.held_against, findings
    assert len(findings.read) + len(findings.refused) == MUTANTS
