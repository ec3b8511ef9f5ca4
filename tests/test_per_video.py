"""Per-video stages: only what is missing is done, all of it is done before anything is told."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from chores import spelled

from pipeline import params, shards
from pipeline.engine import Failure
from pipeline.errors import UserError
from pipeline.index import Video
from pipeline.per_video import (
    Entries,
    Fill,
    Job,
    by_engine,
    by_processes,
    do_part,
    staged,
    why_idle,
)
from pipeline.staging import Staging


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def jobs(*keys: str, version: int = 1) -> list[Job]:
    return [
        Job(Video(key, key, None, None, "train", "0"), f"{key.replace('/', '_')}-{version}")
        for key in keys
    ]


def filling(done: list[str]) -> Fill:
    """Does the work at once, and notes it; a key that says bad cannot be done."""

    def fill(staging: Staging, todo: Sequence[Job]) -> Sequence[Failure[Job]]:
        failures = []
        for job in todo:
            done.append(job.fingerprint)
            if "bad" in job.video.key:
                failures.append(Failure(job, f'{job.video.key}: it\'s "cut off": skip it'))
            else:
                staging.write(job.fingerprint, job.fingerprint.encode())
        return failures

    return fill


def contents(entries: Entries) -> list[bytes]:
    return list(entries.values())


def run(todo: list[Job]) -> list[str]:
    """What is done in one run."""
    done: list[str] = []
    with staged("decode", "street", todo, filling(done)) as entries:
        assert contents(entries) == [job.fingerprint.encode() for job in todo]
    return done


def test_a_second_run_does_nothing_and_ten_new_videos_cost_ten() -> None:
    assert len(run(jobs(*map(str, range(30))))) == 30
    assert run(jobs(*map(str, range(30)))) == []
    assert run(jobs(*map(str, range(40)))) == [f"{number}-1" for number in range(30, 40)]


def test_a_changed_fingerprint_never_meets_the_old_entry() -> None:
    run(jobs("a", "b"))
    assert run(jobs("a", "b", version=2)) == ["a-2", "b-2"]


def test_what_no_job_names_any_more_is_pruned_after_publishing() -> None:
    run(jobs("a", "b", "c"))
    run(jobs("b"))
    assert [path.name for path in Staging("decode", "street").folder.iterdir()] == ["b-1"]


def test_a_publishing_that_fails_prunes_nothing() -> None:
    run(jobs("a", "b"))
    done: list[str] = []
    with pytest.raises(OSError, match="full"), staged("decode", "street", jobs("b"), filling(done)):
        raise OSError("full")
    assert run(jobs("a", "b")) == []


def refused(*keys: str) -> str:
    with pytest.raises(UserError) as caught:
        run(jobs(*keys))
    return str(caught.value)


def test_all_others_are_done_and_kept_before_the_bad_ones_are_told() -> None:
    text = refused("a", "bad 1", "b", "bad 2", "c")
    assert text.startswith(
        "decode street: 2 of 5 videos cannot be used; the other 3 are done and kept.\n"
    )
    assert run(jobs("a", "b", "c")) == []


def test_the_table_names_each_bad_video_once_in_order() -> None:
    lines = refused("bad z", "ok", "bad a").splitlines()
    assert lines[1].startswith("  bad a  bad a: it's")
    assert lines[2].startswith("  bad z  bad z: it's")


ODD = [
    "bad\x7f\x85\u2028\x1b[2J.mp4",
    "bad\u202e\ufeff\U000e0001\u200d",
    "bad: 'q' \"d\" #1.mp4",
    "walk/bad - x, [y] {z}.avi",
    "ü/bad 😀.mkv",
    "bad\nline",
    "bad\\x",
]


def test_the_lines_for_params_can_be_pasted_as_they_are() -> None:
    text = refused("ok", *ODD)
    pasted = yaml.safe_load(text[text.index("  domains:") :])
    skip = pasted["domains"]["street"]["skip"]
    assert skip == {key: f'{key}: it\'s "cut off": skip it' for key in ODD}


def test_long_reasons_are_wrapped_and_whole_in_the_lines_for_params() -> None:
    reason = "word " * 60 + "end"

    def fill(staging: Staging, todo: Sequence[Job]) -> Sequence[Failure[Job]]:
        return [Failure(job, reason) for job in todo]

    with pytest.raises(UserError) as caught, staged("flow", "street", jobs("k" * 90), fill):
        pass
    table, _, pasted = str(caught.value).partition("  domains:")
    assert max(len(line) for line in table.splitlines()) <= 170
    assert yaml.safe_load("domains:" + pasted)["domains"]["street"]["skip"] == {"k" * 90: reason}


def test_an_empty_index_is_refused() -> None:
    with pytest.raises(UserError, match="decode street: the domain's index lists no video"):
        run([])


def test_published_shards_hold_results_under_keys_with_their_fingerprints(tmp_path: Path) -> None:
    todo = jobs("a", "walk/ü.mp4")
    with staged("decode", "street", todo, filling([])) as entries:
        entries.publish(tmp_path / "out", {"version": 1})
    published = shards.Shards(tmp_path / "out")
    assert published.fingerprints == {job.video.key: job.fingerprint for job in todo}
    assert published.read("walk/ü.mp4") == "walk_ü.mp4-1".encode()


def test_processes_fill_the_store_and_tell_what_failed() -> None:
    todo = jobs("a", "bad", "c")
    with (
        pytest.raises(UserError, match="1 of 3 videos cannot be used"),
        staged("decode", "street", todo, by_processes(spelled, workers=2)),
    ):
        pass
    with staged("decode", "street", [todo[0], todo[2]], filling([])) as entries:
        assert contents(entries) == [b"a", b"c"]


def test_frames_and_flow_are_not_made_where_features_come_straight_from_the_videos() -> None:
    listed = [job.video for job in jobs("a", "b")]
    assert why_idle(listed, stream=False) is None
    assert "straight from the videos" in str(why_idle(listed, stream=True))


def test_the_run_says_how_much_is_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    run(jobs("a"))
    run(jobs("a", "b", "c"))
    assert "decode street: 2 videos to do, 1 done before" in capsys.readouterr().out


def test_parts_do_every_video_once_and_publish_and_prune_nothing() -> None:
    run(jobs("old"))
    todo, done = jobs(*map(str, range(40))), list[str]()
    for number in range(3):
        before = len(done)
        do_part("decode", "street", todo, filling(done), f"{number}/3")
        assert len(done) - before > 5
    assert sorted(done) == sorted(job.fingerprint for job in todo)
    assert Staging("decode", "street").path("old-1").exists()
    assert run(todo) == []


@pytest.mark.parametrize("part", ["3/3", "1", "-1/3", "1/0", "a/b", "1/3 "])
def test_what_is_no_part_is_refused_before_any_work(part: str) -> None:
    done: list[str] = []
    with pytest.raises(UserError, match="expected NUMBER/COUNT, NUMBER from 0 to COUNT - 1"):
        do_part("decode", "street", jobs("a"), filling(done), part)
    assert done == []


def test_ray_is_asked_for_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    fill = by_engine(spelled, params.Engine(kind="ray"))
    with (
        pytest.raises(UserError, match=r"run `pip install '\.\[ray\]'` on every machine"),
        staged("decode", "street", jobs("a"), fill),
    ):
        pass


def test_where_nothing_is_to_do_ray_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    run(jobs("a"))
    monkeypatch.setitem(sys.modules, "ray", None)
    fill = by_engine(spelled, params.Engine(kind="ray"))
    with staged("decode", "street", jobs("a"), fill) as entries:
        assert contents(entries) == [b"a-1"]


def test_results_are_read_when_they_are_asked_for() -> None:
    run(jobs("a", "b"))
    asked: list[str] = []
    with staged("decode", "street", jobs("a", "b"), filling([])) as entries:
        rows = entries.by_key(lambda fingerprint, _: asked.append(fingerprint))
        assert (list(rows), len(rows), asked) == (["a", "b"], 2, [])
        rows["b"]
    assert asked == ["b-1"]
