"""Many broken and hostile files of each kind; tests/fuzzing.py says what is held against whom."""

import pytest
from fuzzing import fuzz
from hostile_readers import READERS

MUTANTS = 1000
SLOW = {  # megabytes, networks, pictures
    **{"weights": 150, "checkpoint": 300, "model": 300, "card": 300},
    **{"predict": 300, "inspect": 500, "report": 500},
}


@pytest.mark.parametrize("reader", READERS)
def test_no_broken_file_does_harm(reader: str, capsys: pytest.CaptureFixture[str]) -> None:
    count = SLOW.get(reader, MUTANTS)
    findings = fuzz([reader], count, first=10**6)[reader]
    with capsys.disabled():
        print(f"\n{reader}: {count} mutants: {findings}")
    assert not findings.held_against, findings
    assert len(findings.read) + len(findings.refused) == count
    assert len(findings.refused) > count / 20
