"""Stages on a Ray cluster whose processes and nodes die: the bytes of the local engine."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml
from faults.ray_nodes import at_work, kill, wait_until
from films import write_pictures

pytest.importorskip("ray", reason="needs `pip install '.[ray]'`")
from ray.cluster_utils import Cluster

ROOT = Path(__file__).parent.parent.parent
VIDEOS = 40
STAGES = ("decode", "flow", "features")
PARAMS: dict[str, Any] = {
    "task": {"source": "lab", "target": "yard", "classes": None},
    "domains": {"lab": {"dataset": "folder"}, "yard": {"dataset": "folder"}},
    "clips": {"segments": 3, "windows": 1, "frames": 8, "sampling": "spread"},
    "decode": {"size": 96, "resize": "squash"},
}


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without cores, and two nodes of one core each."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1, object_store_memory=10**8)
        made.wait_for_nodes()
        yield made
    finally:
        made.shutdown()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose domain `lab` is done by the local engine."""
    folder = tmp_path_factory.mktemp("project") / "here"
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copytree(ROOT / "models/i3d_nano", folder / "models/i3d_nano")
    render(folder / "data/raw/lab")
    set_engine(folder, kind="local")
    for stage in ("index", *STAGES):
        finish(start(folder, stage))
    return folder


def render(folder: Path) -> None:
    """Short videos of a texture that glides, each in a direction of its own."""
    generator = np.random.default_rng(0)
    texture = generator.integers(0, 256, (40, 50, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    for number in range(VIDEOS):
        down, right = generator.integers(0, 4, 2)
        views = [texture[n * down :, n * right :][:96, :128].copy() for n in range(30)]
        path = folder / ("walk", "run")[number % 2] / f"{number:02d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_pictures(path, views)


def set_engine(folder: Path, **engine: Any) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(content | PARAMS | {"engine": engine}))


def start(folder: Path, stage: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"pipeline.stages.{stage}", "lab"]
    out, err = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, cwd=folder, text=True, stdout=out, stderr=err)


def finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    return printed


def unmade(finished: Path, folder: Path) -> Path:
    """The project with its videos and index alone."""
    made = shutil.ignore_patterns(".staging", "frames", "flow", "features")
    shutil.copytree(finished / "data", folder / "data", ignore=made)
    for part in ("pipeline", "models"):
        shutil.copytree(finished / part, folder / part)
    return folder


def published(folder: Path) -> dict[str, str]:
    """A hash of each file that a stage has published."""
    files = [
        path
        for stage in ("frames", "flow", "features")
        for path in folder.glob(f"data/{stage}/lab/*")
    ]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


def entries(folder: Path, stage: str) -> int:
    return len(list((folder / ".staging" / stage / "lab").glob("[0-9a-f]*")))


def busy(node: Any) -> list[psutil.Process]:
    wait_until(lambda: at_work(node), "a node at work")
    return at_work(node)


def test_a_worker_and_a_node_die_in_the_middle_and_the_bytes_are_those_of_the_local_engine(
    cluster: Any, finished: Path, tmp_path: Path
) -> None:
    folder = unmade(finished, tmp_path / "cluster")
    set_engine(folder, kind="ray", address=cluster.address)
    one, other = cluster.worker_nodes
    decode = start(folder, "decode")
    wait_until(lambda: entries(folder, "decode") >= 3, "three videos decoded")
    for process in busy(one):
        process.kill()
    assert decode.poll() is None
    print(finish(decode))
    flow = start(folder, "flow")
    wait_until(lambda: entries(folder, "flow") >= 3, "the flow of three videos")
    busy(other)
    kill(other)
    assert entries(folder, "flow") < VIDEOS
    print(finish(flow))
    print(finish(start(folder, "features")))
    assert published(folder) == published(finished)
    assert len(published(folder)) == 3


def test_straight_from_the_videos_it_is_the_same_features(
    cluster: Any, finished: Path, tmp_path: Path
) -> None:
    folder = unmade(finished, tmp_path / "cluster")
    set_engine(folder, kind="ray", address=cluster.address)
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["features"]["stream"] = True
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    features = start(folder, "features")
    wait_until(lambda: entries(folder, "features") >= 3, "the features of three videos")
    one, _ = cluster.worker_nodes
    busy(one)
    kill(one)
    assert entries(folder, "features") < VIDEOS
    finish(features)
    name = "data/features/lab/0000.h5"
    assert published(folder) == {name: published(finished)[name]}
