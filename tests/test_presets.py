"""Presets name parameters that exist, with values in range."""

from pathlib import Path

import pytest
import yaml

from pipeline import params, presets

OWN = Path(__file__).parent.parent / "params.yaml"


@pytest.mark.parametrize("name", presets.names())
def test_params_with_a_preset_are_valid(name: str, tmp_path: Path) -> None:
    content = yaml.safe_load(OWN.read_text())
    if name == "imported":
        content["task"] |= {"source": "hmdb_f", "target": "arid_f"}
    words = presets.options(name)
    assert words[::2] == ["-S"] * (len(words) // 2)
    for word in words[1::2]:
        key, value = word.split("=")
        *sections, last = key.split(".")
        section = content
        for part in sections:
            section = section[part]
        assert last in section
        section[last] = yaml.safe_load(value)
    changed = tmp_path / "params.yaml"
    changed.write_text(yaml.safe_dump(content))
    params.load(changed)


def test_the_papers_preset_has_the_papers_numbers() -> None:
    words = presets.options("mtran_paper")
    assert {"adapt.lambda1=3.0", "adapt.lambda2=1.0", "adapt.lambda3=0.05"} < set(words)
    assert {"adapt.lr=0.01", "adapt.alpha=0.85", "adapt.tau=0.9", "adapt.epochs=50"} < set(words)


def test_an_unknown_preset_is_refused_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["presets", "nonesuch"])
    with pytest.raises(SystemExit):
        presets.main()
    assert "mtran_paper" in capsys.readouterr().err
