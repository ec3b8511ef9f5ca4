"""Work on a Ray cluster: what a fault costs, what is told of it, and that nothing is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chores import Chore, work
from drawn_clips import Drawn
from faults.ray_nodes import daemons, wait_until
from faults.ray_work import doubled

from pipeline import params, ray_engine
from pipeline.engine import Failure
from pipeline.errors import UserError
from pipeline.feature_batches import stream
from pipeline.feature_extraction import Extract
from pipeline.index import Video
from pipeline.per_video import Job

pytest.importorskip("ray", reason="needs `pip install '.[ray]'`")
from ray.cluster_utils import Cluster

ROOT = Path(ray_engine.__file__).parent.parent


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes, the second with what passes for a GPU."""
    monkeypatch = pytest.MonkeyPatch()
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{here.parent}")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    made.add_node(num_cpus=0, num_gpus=1)
    made.wait_for_nodes()
    with ray_engine.connected(made.address):
        yield made
    made.shutdown()
    monkeypatch.undo()


def chores_in(folder: Path, *what: str) -> list[Chore]:
    return [Chore(name, folder / f"{number:02d}") for number, name in enumerate(what)]


def run(todo: list[Chore], workers: int | None = None) -> list[Failure[Chore]]:
    failures = list[Failure[Chore]]()
    done = ray_engine.results(work, todo, failures, label="test", workers=workers)
    assert len(list(done)) == len(todo) - len(failures)
    return failures


@pytest.mark.usefixtures("cluster")
def test_every_item_is_done_with_one_thread_and_the_guilty_alone_fail(tmp_path: Path) -> None:
    todo = chores_in(tmp_path, *["good"] * 9, "killed", "bad video", "bug", *["good"] * 9)
    reasons = {failure.item.what: failure.reason for failure in run(todo)}
    assert reasons.pop("killed").startswith("its process died")
    assert reasons.pop("bad video") == "cut off; replace it"
    assert "RuntimeError at chores.py" in reasons.pop("bug")
    assert not reasons
    assert {chore.mark.read_text() for chore in todo if chore.what == "good"} == {"1"}


@pytest.mark.usefixtures("cluster")
def test_a_fault_that_is_not_the_videos_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^no weights there; fetch them$"):
        run(chores_in(tmp_path, "good", "nothing works", "good"))


@pytest.mark.usefixtures("cluster")
def test_work_stays_near_what_is_asked_for(tmp_path: Path) -> None:
    todo = chores_in(tmp_path, *["good"] * 30)
    got = ray_engine.results(work, todo, [], label="test", workers=3)
    next(got)
    time.sleep(2)
    assert sum(chore.mark.exists() for chore in todo) <= 4


@pytest.mark.usefixtures("cluster")
def test_a_gpus_process_that_dies_costs_nobody_else_a_result() -> None:
    failures = list[Failure[str]]()
    todo = ["a", "b", "killed", "bad", "c"]
    got = ray_engine.streamed(doubled, todo, failures, label="test")
    assert dict(got) == {"a": "AA", "b": "BB", "c": "CC"}
    reasons = {failure.item: failure.reason for failure in failures}
    assert reasons.pop("killed").startswith("its process died")
    assert reasons == {"bad": "told"}


@pytest.mark.usefixtures("cluster")
def test_features_in_batches_beside_a_gpu_are_those_of_one_by_one() -> None:
    work, todo = extraction("1", "bad", "3")
    failures = list[Failure[Job]]()
    got = dict(ray_engine.streamed(stream(work, None), todo, failures, label="test"))
    assert got == {todo[0]: work(todo[0]), todo[2]: work(todo[2])}
    assert [(f.item.video.key, f.reason) for f in failures] == [("bad", "bad is cut off")]


@pytest.mark.usefixtures("cluster")
def test_a_video_without_end_is_given_up_beside_a_gpu_too() -> None:
    work, todo = extraction("1", "endless", "3")
    failures = list[Failure[Job]]()
    got = dict(ray_engine.streamed(stream(work, 2.0), todo, failures, label="test"))
    assert got == {todo[0]: work(todo[0]), todo[2]: work(todo[2])}
    [endless] = failures
    assert endless.item.video.key == "endless"
    assert endless.reason.startswith("not done after 2 s (engine.video_timeout)")


@pytest.mark.usefixtures("cluster")
def test_work_without_end_is_given_up(tmp_path: Path) -> None:
    todo = chores_in(tmp_path, "good", "endless", "good")
    failures = list[Failure[Chore]]()
    done = ray_engine.results(work, todo, failures, label="test", timeout=2.0)
    assert {chore for chore, _ in done} == {todo[0], todo[2]}
    [endless] = failures
    assert endless.reason.startswith("not done after 2 s (engine.video_timeout)")


def extraction(*keys: str) -> tuple[Extract, list[Job]]:
    features = params.Features(backbone="i3d_nano", precision="float32")
    work = Extract(Drawn(), "i3d_nano", ROOT / "models/i3d_nano", features, "cpu")
    return work, work.jobs([Video(key, key, None, None, "train", sha256="") for key in keys])


@pytest.mark.usefixtures("cluster")
def test_gpus_are_counted() -> None:
    assert ray_engine.gpus() == 1


@pytest.mark.usefixtures("cluster")
def test_a_node_without_the_project_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "unmounted"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(Path, "cwd", lambda: gone)
    with pytest.raises(UserError, match=r"FileNotFoundError.*every node needs this project in"):
        run(chores_in(tmp_path, "good"))


def test_no_cluster_at_an_address_is_told() -> None:
    code = "from pipeline import ray_engine\nwith ray_engine.connected('127.0.0.1:1'): pass"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("pipeline.errors.UserError: engine.address: no Ray cluster could be")


DRIVER = """
import os, sys, time
from pathlib import Path
from pipeline import ray_engine, stages

def sleep(mark):
    Path(mark).touch()
    time.sleep(600)

def main():
    with ray_engine.connected("local"):
        for _ in ray_engine.results(sleep, sys.argv[1:], [], label="sleep", workers=2): pass

if __name__ == "__main__":
    stages.run(main)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_cluster_of_our_own_ends_with_the_stage(number: signal.Signals, tmp_path: Path) -> None:
    script, mark, before = tmp_path / "sleepers.py", tmp_path / "mark", daemons()
    script.write_text(DRIVER)
    out, err = subprocess.PIPE, subprocess.STDOUT
    environment = {k: v for k, v in os.environ.items() if k != "RAY_AUTH_MODE"}
    environment["PYTHONPATH"] = str(ROOT)
    stage = subprocess.Popen(
        [sys.executable, str(script), str(mark)],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=out,
        stderr=err,
    )
    wait_until(mark.exists, "a task at work")
    assert daemons() > before
    stage.send_signal(number)
    printed, _ = stage.communicate(timeout=60)
    wait_until(lambda: daemons() <= before, "all daemons gone")
    assert "Traceback" not in printed
    if number == signal.SIGINT:
        assert printed.splitlines()[-1].startswith("interrupted: finished videos are kept")
