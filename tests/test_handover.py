"""A model is handed over whole, with nothing of the data; whatever else comes is refused."""

import getpass
import json
import pickle
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import source_model
import torch

from pipeline import checkpoints, tables
from pipeline.errors import UserError
from pipeline.handover import bundle, exported, readme, received

WEIGHTS = "seed-7.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return source_model.export(tmp_path / "handed")


def test_every_weight_the_card_and_the_log_come_over(folder: Path) -> None:
    sent, models = checkpoints.load(folder.with_name("handed-model"))
    card, got, log = received.load(folder)
    assert card == sent.trained("handover", vidshift="0.1.0")
    assert got.keys() == models.keys() == set(source_model.SEEDS)
    for seed, model in models.items():
        theirs = got[seed].state_dict()
        assert all(torch.equal(value, theirs[name]) for name, value in model.state_dict().items())
    assert [str(row["cross_entropy"]) for row in log] == ["1.0", "0.5", "1.0", "0.5"]


def test_what_is_received_makes_the_same_source_model_to_the_byte(folder: Path) -> None:
    card, models, log = received.load(folder)
    checkpoints.save(folder.with_name("placed"), models, card, log)
    for path in folder.with_name("handed-model").glob("*[!n]"):  # all but card.json
        assert (folder.with_name("placed") / path.name).read_bytes() == path.read_bytes()


def test_the_same_model_gives_the_same_folder(folder: Path, tmp_path: Path) -> None:
    exported.export(tmp_path / "handed-model", tmp_path / "again")
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        *("README.md", "SHA256SUMS", "card.json"),
        *("seed-0.safetensors", "seed-7.safetensors", "training.csv"),
    ]
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_no_path_and_no_user_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-here")
    assert getpass.getuser() == "somebody-here"
    for path in source_model.export(tmp_path / "handed").iterdir():
        content = path.read_bytes()
        assert b"somebody-here" not in content
        assert str(tmp_path).encode() not in content


def test_sha256sum_agrees(folder: Path) -> None:
    command = ["sha256sum", "--strict", "-c", bundle.SUMS]
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def test_people_can_read_what_it_is(folder: Path) -> None:
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "| jump, run, walk |" in page
    assert "75.0% (sd 0.0% over the seeds)" in page
    assert "ab" * 32 in page
    assert "clips.segments | 5 |" in page


def test_names_in_the_readme_stay_text() -> None:
    hostile = "<script>x</script>|[a](http://b)\n# `c`"
    card = source_model.card(classes=(hostile, "run")).trained("handover", vidshift="1")
    page = readme.text(card, [0])
    assert "<script>" not in page
    (row,) = [line for line in page.splitlines() if "outputs" in line]
    assert row.endswith(r"\[a\](http://b) \# \`c\`, run |")
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


@pytest.mark.parametrize("path", ["/home/ann/i3d", "~/i3d", "of ann:/data/x", r"C:\ann\i3d"])
def test_a_name_that_is_a_path_stays_at_home(tmp_path: Path, path: str) -> None:
    made = {"features": {"backbone": "imported"}, "imported": {"extractor": path}}
    with pytest.raises(UserError, match=r"imported\.extractor: .* looks like a path"):
        source_model.export(tmp_path / "x", features=made)
    assert not (tmp_path / "x").exists()


def test_nothing_that_is_there_is_overwritten(folder: Path) -> None:
    with pytest.raises(UserError, match="is there already"):
        exported.export(folder.with_name("handed-model"), folder)


# accidents


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        received.load(folder)
    return str(caught.value)


@pytest.mark.parametrize("name", [WEIGHTS, "card.json", "training.csv", "README.md"])
@pytest.mark.parametrize(
    "spoil", [lambda c: c[:-1], lambda c: b"", lambda c: c[:40] + bytes([c[40] ^ 1]) + c[41:]]
)
def test_a_cut_or_changed_file_is_told(
    folder: Path, name: str, spoil: Callable[[bytes], bytes]
) -> None:
    path = folder / name
    path.write_bytes(spoil(path.read_bytes()))
    assert refused(folder).startswith(f"{path}: other bytes than SHA256SUMS says")


@pytest.mark.parametrize("name", [WEIGHTS, "card.json", "training.csv", "README.md"])
def test_a_missing_file_is_told(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert refused(folder).startswith(f"{folder / name}: missing, though SHA256SUMS names it")


def test_a_file_too_many_is_told(folder: Path) -> None:
    (folder / "videos.csv").write_text("video\n")
    assert "'videos.csv' is not in SHA256SUMS" in refused(folder)


def test_hidden_files_of_a_file_manager_do_no_harm(folder: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"\0")
    assert received.load(folder)


def test_another_folder_is_told(tmp_path: Path) -> None:
    assert "expected a folder that `python -m pipeline.handover export` wrote" in refused(tmp_path)
    assert "SHA256SUMS: " in refused(tmp_path / "nowhere")


# forgeries, whose digests are right


@pytest.mark.parametrize(
    "line",
    [
        *(f"{'0' * 64}  {name}" for name in ("../card.json", "/etc/passwd", "x/card.json", "a.pt")),
        *(f"{'0' * 64}  {name}" for name in ("seed-x.safetensors", "card.json", "")),
        *(f"{'0' * 63}  card.json", "card.json", "\x1b[2J"),
    ],
)
def test_digests_of_other_files_are_not_looked_for(folder: Path, line: str) -> None:
    with (folder / bundle.SUMS).open("a") as sums:
        sums.write(f"{line}\n")
    told = refused(folder)
    assert "expected the digest of a part of a model, once, found " in told
    assert "\x1b" not in told


def test_a_pickle_is_refused_and_not_executed(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "executed",)

    source_model.reseal(folder, {WEIGHTS: pickle.dumps(Trap())})
    assert f"{WEIGHTS}: no safetensors file" in refused(folder)
    torch.save({"weights": torch.ones(1)}, tmp_path / "x.pt")
    source_model.reseal(folder, {WEIGHTS: (tmp_path / "x.pt").read_bytes()})
    assert f"{WEIGHTS}: no safetensors file" in refused(folder)
    assert not (tmp_path / "executed").exists()


def test_a_pickle_under_another_name_is_refused(folder: Path) -> None:
    source_model.reseal(folder, {"weights.pkl": b"\x80\x04."})
    assert "expected the digest of a part of a model" in refused(folder)


TENSORS: list[tuple[Callable[[dict[str, torch.Tensor]], Any], str]] = [
    (lambda t: t.update(more=torch.ones(2)), "'more': the card expects nothing, found F32"),
    (
        lambda t: t.pop("fusion.bias"),
        "'fusion.bias': the card expects F32 of shape [8], found noth",
    ),
    (lambda t: t.update({"fusion.bias": torch.ones(9)}), "expects F32 of shape [8], found F32 of"),
    (lambda t: t.update({"fusion.bias": torch.ones(8).double()}), "shape [8], found F64 of shape"),
    (lambda t: t["fusion.bias"].fill_(torch.nan), "fusion.bias holds values that are not finite"),
    (lambda t: t["inputs.mean"].fill_(torch.inf), "inputs.mean holds values that are not finite"),
]


@pytest.mark.parametrize(("change", "expected"), TENSORS)
def test_tensors_that_are_not_the_cards_are_refused(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], Any], expected: str
) -> None:
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    change(tensors)
    source_model.reseal(folder, {WEIGHTS: safetensors.torch.save(tensors)})
    assert refused(folder).startswith(f"{folder / WEIGHTS}: ")
    assert expected in refused(folder)


def card_of(folder: Path, path: str, value: Any) -> bytes:
    """The card with another value at a dotted place."""
    content = json.loads((folder / "card.json").read_text())
    *outer, last = path.split(".")
    inner = content
    for name in outer:
        inner = inner[name]
    inner[last] = value
    return json.dumps(content).encode()


CARDS: list[tuple[str, Any, str]] = [
    ("dim", 10**9, "dim: should be less than or equal to 65536"),
    ("dim", 65_536, "the card expects F32 of shape [3, 65536], found F32 of shape [3, 8]"),
    ("dim", 10**400, "dim: "),
    ("dim", 8.0, "dim: should be a valid integer"),
    ("layers", 10**6, "layers: should be less than or equal to 64"),
    ("dropout", float("nan"), "dropout: "),
    ("seeds", ["../../x"], "seeds.0: should be a valid integer"),
    ("seeds", [0], "seed-7.safetensors: in the card or here alone"),
    ("seeds", [0, 7, 9], "seed-9.safetensors: in the card or here alone"),
    ("seeds", [0, 7, 7], "stands twice"),
    ("seeds", [], "seeds: "),
    ("classes", ["a", "a", "b"], "stands twice"),
    ("classes", ["a\nb", "c", "d"], "holds signs that cannot be printed"),
    ("classes", ["\x1b[2J", "c", "d"], "holds signs that cannot be printed"),
    ("classes", ["a", "b"], "the card expects F32 of shape [2]"),
    ("classes", ["a" * 201, "b", "c"], "classes.0: "),
    ("more", 1, "more: unknown key"),
    ("features", {}, "features.features: missing"),
    ("features.features.backbone", "../../x", "features.features.backbone: "),
    ("features.frames.clips", [1], "features.frames.clips: should be"),
    ("features.frames.version", "a\x1bb", "that can be printed, found 'a\\x1bb'"),
    ("features.frames.version", "a" * 1001, "expected texts of up to 1000 signs"),
    ("features.more", json.loads("[" * 20 + "]" * 20), "more than 8 deep"),
    ("training", {}, "training.pretrain: missing"),
    ("training.pretrain.source", "../../x", "training.pretrain.source: "),
    ("training.pretrain.source", "lab\n", "training.pretrain.source: "),
    ("training.pretrain.test_accuracy", {"0": 2.0}, "test_accuracy.0: should be less than"),
]


@pytest.mark.parametrize(("place", "value", "expected"), CARDS)
def test_a_forged_card_is_refused(folder: Path, place: str, value: Any, expected: str) -> None:
    source_model.reseal(folder, {"card.json": card_of(folder, place, value)})
    told = refused(folder)
    assert expected in told
    assert "\x1b" not in told
    assert len(told) < 2000


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"1" * 5000, b"[" * 100_000, b"\xff", b"{}" + b" " * 2**20]
)
def test_what_is_no_card_is_refused(folder: Path, text: bytes) -> None:
    source_model.reseal(folder, {"card.json": text})
    assert refused(folder).startswith(f"{folder}/card.json: no model card")


@pytest.mark.parametrize(
    "text",
    [
        "seed,epoch,loss\n0,1,x\n7,1,1\n",
        "seed,epoch,loss\n0,1,nan\n7,1,1\n",
        "seed,epoch,loss\n0,1\n7,1,1\n",
        "seed,epoch,loss\n0,1,1,1\n7,1,1\n",
        "seed,epoch,<b>\n0,1,1\n7,1,1\n",
        "seed,epoch\n0,1\n",
        "seed,epoch\n",
        "seed\n0\n7\n",
        "",
    ],
)
def test_a_forged_log_is_refused(folder: Path, text: str) -> None:
    source_model.reseal(folder, {"training.csv": text.encode()})
    assert refused(folder).startswith(f"{folder}/training.csv: ")


def test_the_log_that_is_sent_is_one_that_is_taken(folder: Path) -> None:
    _, _, log = received.load(folder)
    tables.write(folder.with_name("again.csv"), log)
    assert folder.with_name("again.csv").read_bytes() == (folder / "training.csv").read_bytes()
