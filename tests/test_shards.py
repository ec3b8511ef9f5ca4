"""Shards: the same bytes for the same videos, few changed by a few, readable by any unzip."""

import hashlib
import json
import random
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import shards
from pipeline.errors import UserError
from pipeline.shards import Shards, spread

CLIPS = {"clips": {"segments": 5}}
ODD_KEYS = [
    "walk/a b.avi",
    "walk/ü & ß.mp4",
    unicodedata.normalize("NFD", "walk/ü.mp4"),
    "日本/😀.mkv",
    "P01/P01_01.MP4#17",
    "long/" + "x" * 240 + "/" + "y" * 240 + ".mp4",
    "100%/[1]'\"\\.mp4",
    "new\nline.mp4",
    "-dash.mp4",
    "shard.json",
    "a",
    "a.mkv",
]


def publish(
    folder: Path, contents: Mapping[str, bytes], limit: int = 2**20, version: int = 1
) -> None:
    """Publishes contents by key, as the decode stage does."""
    shards.publish(
        folder,
        contents,
        fingerprints={key: hashlib.sha256(part).hexdigest() for key, part in contents.items()},
        sizes={key: len(part) for key, part in contents.items()},
        provenance={"version": version, **CLIPS},
        limit=limit,
    )


def videos(numbers: Iterable[int], size: int = 1000) -> dict[str, bytes]:
    return {f"class/{number:05d}.mp4": random.Random(number).randbytes(size) for number in numbers}


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_video_comes_back_under_its_key(tmp_path: Path) -> None:
    contents = {key: key.encode() * 3 for key in ODD_KEYS}
    publish(tmp_path / "out", contents, limit=1000)
    opened = Shards(tmp_path / "out")
    assert {key: opened.read(key) for key in ODD_KEYS} == contents
    assert opened.fingerprints == {
        key: hashlib.sha256(content).hexdigest() for key, content in contents.items()
    }
    assert opened.provenance == {"version": 1, **CLIPS}


def test_an_unknown_key_is_a_key_error(tmp_path: Path) -> None:
    publish(tmp_path / "out", {"a": b"x"})
    with pytest.raises(KeyError):
        Shards(tmp_path / "out").read("b")


def test_any_unzip_program_opens_a_shard(tmp_path: Path) -> None:
    publish(tmp_path / "out", {key: key.encode() for key in ODD_KEYS})
    with zipfile.ZipFile(tmp_path / "out/0000.zip") as shard:
        assert shard.testzip() is None
        assert sorted(shard.namelist()) == sorted(
            ["shard.json", *(f"{key}.mkv" for key in ODD_KEYS)]
        )
        assert {member.compress_type for member in shard.infolist()} == {zipfile.ZIP_STORED}
        assert {member.date_time for member in shard.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        card = json.loads(shard.read("shard.json"))
    assert card["clips"] == {"segments": 5}
    assert sorted(card["entries"]) == sorted(ODD_KEYS)


def test_publishing_again_gives_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    contents = videos(range(50))
    publish(tmp_path / "out", contents, limit=5000)
    first = content_of(tmp_path / "out")
    publish(tmp_path / "out", dict(reversed(contents.items())), limit=5000)
    assert content_of(tmp_path / "out") == first


def test_the_order_of_the_provenance_has_no_effect(tmp_path: Path) -> None:
    a: dict[str, Any] = {"fingerprints": {"a": "f"}, "sizes": {"a": 1}}
    for name, provenance in (("one", {"a": 1, "b": 2}), ("two", {"b": 2, "a": 1})):
        shards.publish(tmp_path / name, {"a": b"x"}, provenance=provenance, **a)
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


def test_a_few_new_videos_leave_most_shards_as_they_were(tmp_path: Path) -> None:
    publish(tmp_path / "out", videos(range(1800)), limit=2**16)
    before = content_of(tmp_path / "out")
    publish(tmp_path / "out", videos(range(1803)), limit=2**16)
    after = content_of(tmp_path / "out")
    assert len(before) == len(after) == 32
    assert sum(before[name] != after[name] for name in before) <= 3


def test_a_removed_video_changes_only_its_own_shard(tmp_path: Path) -> None:
    publish(tmp_path / "out", videos(range(100)), limit=10_000)
    before = content_of(tmp_path / "out")
    publish(tmp_path / "out", videos([n for n in range(100) if n != 50]), limit=10_000)
    after = content_of(tmp_path / "out")
    assert sum(before[name] != after[name] for name in before) == 1


def test_a_doubling_splits_every_shard_in_two() -> None:
    keys = {f"{number}.mp4": 10 for number in range(1000)}
    few, many = spread(keys, limit=2500), spread(keys, limit=1250)
    assert len(few) == 4
    assert len(many) == 8
    for number, shard in enumerate(few):
        assert sorted(many[2 * number] + many[2 * number + 1]) == shard


@given(
    sizes=st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(0, 10**6)),
    limit=st.integers(1000, 10**7),
)
def test_every_key_is_in_one_shard_and_shards_are_a_power_of_two(
    sizes: dict[str, int], limit: int
) -> None:
    shared = spread(sizes, limit)
    assert sorted(key for shard in shared for key in shard) == sorted(sizes)
    assert all(shard == sorted(shard) for shard in shared)
    assert len(shared).bit_count() == 1
    assert sum(sizes.values()) / len(shared) <= limit
    assert len(shared) == 1 or sum(sizes.values()) / (len(shared) / 2) > limit


def test_shards_are_filled_evenly() -> None:
    keys = {f"{number}.mp4": 1 for number in range(16_000)}
    counts = [len(shard) for shard in spread(keys, limit=1000)]
    assert len(counts) == 16
    assert 880 < min(counts) <= max(counts) < 1120


# what can go wrong


def damaged(path: Path, kind: str) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "cut in half": content[:middle],
            "without its end": content[:-10],
            "empty": b"",
            "other": b"no zip at all" * 100,
        }[kind]
    )


@pytest.mark.parametrize("kind", ["cut in half", "without its end", "empty", "other"])
def test_a_damaged_shard_is_named(kind: str, tmp_path: Path) -> None:
    publish(tmp_path / "out", videos(range(5)))
    damaged(tmp_path / "out/0000.zip", kind)
    with pytest.raises(
        UserError, match=r"0000\.zip: damaged shard .*; delete it, run `python -m pipeline.verify`"
    ):
        Shards(tmp_path / "out")


def test_a_flipped_bit_of_a_video_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    publish(tmp_path / "out", {"a": b"A" * 1000, "b": b"B" * 1000})
    path = tmp_path / "out/0000.zip"
    path.write_bytes(path.read_bytes().replace(b"A" * 1000, b"A" * 500 + b"C" + b"A" * 499))
    opened = Shards(tmp_path / "out")
    assert opened.read("b") == b"B" * 1000
    with pytest.raises(UserError, match="damaged shard"):
        opened.read("a")


def test_no_damage_gives_wrong_data_or_another_error(tmp_path: Path) -> None:
    contents = videos(range(2), size=50)
    publish(tmp_path / "out", contents)
    path = tmp_path / "out/0000.zip"
    whole = path.read_bytes()
    drawn = random.Random(0)
    refused = 0
    for place in range(0, len(whole), 2):
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ drawn.randrange(1, 256)]) + whole[place + 1 :]
        )
        try:
            opened = Shards(tmp_path / "out")
            assert {key: opened.read(key) for key in contents} == contents
        except UserError:
            refused += 1
    assert refused > len(whole) / 4


@pytest.mark.parametrize("make", ["missing", "empty"])
def test_an_empty_folder_says_what_makes_it(make: str, tmp_path: Path) -> None:
    if make == "empty":
        (tmp_path / "out").mkdir()
    for read in (Shards, shards.opened):
        with pytest.raises(UserError, match=r"out: no shards in it; run `dvc repro` or `dvc pull`"):
            read(tmp_path / "out")


def test_shards_of_two_runs_do_not_mix(tmp_path: Path) -> None:
    publish(tmp_path / "out", videos(range(20)), limit=5000)
    publish(tmp_path / "other", videos(range(20)), limit=5000, version=2)
    (tmp_path / "other/0001.zip").replace(tmp_path / "out/0001.zip")
    with pytest.raises(UserError, match="its shards come from different runs"):
        Shards(tmp_path / "out")


# the cache of a process


def test_a_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path / "out", videos(range(5)))
    listed = []
    once = Shards._list

    def count(self: Shards, path: Path) -> None:
        listed.append(path)
        once(self, path)

    monkeypatch.setattr(Shards, "_list", count)
    for _ in range(3):
        shards.opened(tmp_path / "out").read("class/00001.mp4")
    assert len(listed) == 1


def test_a_folder_that_is_published_anew_is_read_anew(tmp_path: Path) -> None:
    for number in range(5):
        publish(tmp_path / "out", {"a": b"%d" % number, f"only {number}": b""})
        opened = shards.opened(tmp_path / "out")
        assert opened.read("a") == b"%d" % number
        assert sorted(opened.fingerprints) == ["a", f"only {number}"]
