"""Exported programs: PyTorch alone says what `pipeline.predict` says; the same bytes, no path."""

import os
import re
import subprocess
import sys
from pathlib import Path

import adapted_model
import numpy as np
import pytest
import torch
from films import write

from pipeline import checkpoints, paths
from pipeline.checkpoints import Card
from pipeline.index import Video
from pipeline.model_export.folder import export
from pipeline.per_video import Job
from pipeline.predictor import Prediction, Predictor

ROOT = Path(__file__).parent.parent.parent
TWICE = ((0, "one"), (1, "two"))  # PYTHONHASHSEED, folder
OUTSIDE = """
import importlib.util
import numpy as np
import torch
assert importlib.util.find_spec("pipeline") is None
codes = np.load("codes.npz")
frames, codes = torch.from_numpy(codes["rgb"]), torch.from_numpy(codes["flow"])
classifier = torch.export.load("{folder}/classifier.pt2").module()
{readme}
logits, probabilities = classifier(rgb, flow)
several = torch.cat([rgb, rgb.flip(1), rgb * 0]), torch.cat([flow, flow.flip(1), flow * 0])
assert torch.allclose(classifier(*several)[1][:1], probabilities)
np.savez("said.npz", logits=logits.detach(), probabilities=probabilities.detach())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an adapted model, exported twice."""
    folder = tmp_path_factory.mktemp("programs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        adapted_model.write()
        card, models = checkpoints.load(paths.ADAPTED_MODEL)
        card = card.trained("pretrain", source="lab", test_accuracy={})
        checkpoints.save(paths.ADAPTED_MODEL, models, card, [{"epoch": 1}])
    for seed, name in TWICE:
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "pipeline.model_export", name, "--program"]
        subprocess.run(command, cwd=folder, env=environment, check=True)
    return folder


def predicted(folder: Path) -> Prediction:
    """What is said of a film, whose codes are left in codes.npz."""
    film = write(folder / "a.mp4", 20)
    predictor = Predictor.load(folder / "one")
    cut = predictor.extract.source.read(
        Job(Video(str(film), str(film), None, None, "test", ""), "")
    )
    np.savez(folder / "codes.npz", rgb=cut.rgb, flow=cut.flow)
    return predictor(film)


def test_pytorch_alone_follows_the_readme_to_the_same_probabilities(project: Path) -> None:
    said = predicted(project)
    page = (project / "one/README.md").read_text()
    (steps,) = re.findall(r"```python\n(backbone = .*?)```", page, flags=re.DOTALL)
    steps = steps.replace('"backbone.pt2"', '"one/backbone.pt2"')
    program = OUTSIDE.format(folder="one", readme=steps)
    subprocess.run([sys.executable, "-I", "-c", program], cwd=project, check=True)
    found = np.load(project / "said.npz")
    assert found["logits"].shape == (2, 1, 3)
    expected = dict(zip(said.classes, said.probabilities, strict=True))
    in_order = [expected[name] for name in adapted_model.CLASSES]
    assert found["probabilities"][0].tolist() == pytest.approx(in_order, abs=1e-5)


def test_the_same_model_gives_the_same_programs_and_no_path(project: Path) -> None:
    for name in ("classifier.pt2", "backbone.pt2", "SHA256SUMS", "README.md"):
        content = (project / "one" / name).read_bytes()
        assert content == (project / "two" / name).read_bytes()
        for place in (ROOT, project, Path(sys.prefix)):
            assert str(place).encode() not in content


def test_a_model_of_imported_features_gets_a_classifier_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = {"features": {"backbone": "imported"}, "imported": {"extractor": "theirs"}}
    card = Card(("a", "b"), 8, 1, 0.0, made).trained("pretrain", source="lab", test_accuracy={})
    network = card.new_network(0)
    checkpoints.save(paths.SOURCE_MODEL, {0: network}, card, [{"seed": 0, "epoch": 1}])
    export(paths.SOURCE_MODEL, Path("out"), programs=True)
    assert [path.name for path in Path("out").glob("*.pt2")] == ["classifier.pt2"]
    assert "backbone.pt2" not in Path("out/README.md").read_text()
    clips = torch.randn(2, 7, 4, 8)
    logits, probabilities = torch.export.load("out/classifier.pt2").module()(*clips)
    assert torch.allclose(logits[0], network(*clips).logits, atol=1e-6)
    assert torch.allclose(probabilities, logits[0].double().softmax(dim=1))


def test_without_programs_there_are_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    export(paths.ADAPTED_MODEL, Path("plain"))
    assert not list(Path("plain").glob("*.pt2"))
