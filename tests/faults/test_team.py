"""A team with a store: docs/team.md, typed line by line against a directory, SSH and S3."""

import csv
import io
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from faults.people import NEVER_SHARED, clone, introduce, shared, types, unshared
from faults.stores import STORES, Store, objects
from workspace import Workspace, new_workspace, stages_run

OF_A_TASK = ["adapt", "evaluate", "retrieval", "report"]
PULL = "dvc pull --allow-missing"
REPRO = "dvc repro --allow-missing"
PUSH = "dvc exp push origin"
FETCH = "dvc exp pull origin"
APPLY = "dvc exp apply NAME"


class Team(NamedTuple):
    """Two clones of one project; the first has run and pushed it, the second has pulled."""

    store: Store
    origin: Path
    first: Workspace
    second: Workspace


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace after its first `dvc repro`."""
    workspace = new_workspace(tmp_path_factory.mktemp("finished") / "project")
    workspace.run("dvc", "repro")
    return workspace


@pytest.fixture(scope="module", params=STORES)
def team(
    request: pytest.FixtureRequest, finished: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp(request.param)
    with STORES[request.param](folder / "store") as store:
        yield new_team(finished, folder, store)


def new_team(finished: Workspace, folder: Path, store: Store) -> Team:
    first = introduce(Workspace(shutil.copytree(finished.folder, folder / "first", symlinks=True)))
    origin = folder / "origin"
    first.run("git", "init", "-q", "--bare", str(origin))
    first.run("git", "remote", "add", "origin", str(origin))
    types(first, "dvc remote add --default team URL", url=store.url)
    for option, value in store.options.items():
        types(first, f"dvc remote modify team {option} VALUE", value=value)
    learn_secrets(first, store)
    first.commit()
    first.run("git", "push", "-q", "--set-upstream", "origin", "HEAD")
    types(first, "dvc push")
    return Team(store, origin, first, newcomer(origin, folder / "second", store))


def learn_secrets(person: Workspace, store: Store) -> None:
    for option, value in store.secrets.items():
        types(person, f"dvc remote modify --local team {option} VALUE", value=value)


def newcomer(origin: Path, folder: Path, store: Store) -> Workspace:
    person = clone(origin, folder)
    learn_secrets(person, store)
    types(person, PULL)
    return person


def results(person: Workspace) -> dict[str, bytes]:
    """What an experiment makes: the adapted models and the results."""
    folders = (person.folder / "models/adapted", person.folder / "results")
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(person.folder)): path.read_bytes() for path in files}


def test_features_and_models_travel_and_frames_and_flow_never(team: Team) -> None:
    assert unshared(team.first)
    held = team.store.objects()
    assert shared(team.first).items() <= held.items()
    assert not unshared(team.first).keys() & held.keys()
    assert objects(team.second.folder / ".dvc/cache").items() >= shared(team.first).items()
    assert not list(team.second.folder.glob("data/frames/*/*"))
    assert results(team.second) == results(team.first)


def test_the_second_clone_computes_nothing(team: Team) -> None:
    assert stages_run(types(team.second, REPRO)) == []


def test_an_experiment_of_the_second_is_seen_by_the_first(team: Team) -> None:
    before = team.store.objects()
    line = "dvc exp run --allow-missing --name NAME -S adapt.lambda1=VALUE"
    assert stages_run(types(team.second, line, name="three", value="3")) == OF_A_TASK
    types(team.second, PUSH)
    new = team.store.objects().keys() - before.keys()
    assert new == shared(team.second).keys() - before.keys()

    types(team.first, FETCH)
    assert lambdas(team.first.run("dvc", "exp", "show", "--csv"))["three"] == 3
    original = results(team.first)
    types(team.first, APPLY, name="three")
    assert results(team.first) == results(team.second) != original
    for person in (team.first, team.second):
        back_to_head(person)
    assert results(team.first) == results(team.second) == original


def lambdas(shown: str) -> dict[str, float]:
    """`dvc exp show --csv` -> lambda1 of each experiment."""
    rows = csv.DictReader(io.StringIO(shown))
    return {row["Experiment"]: float(row["adapt.lambda1"]) for row in rows if row["Experiment"]}


def back_to_head(person: Workspace) -> None:
    types(person, "git checkout .")
    types(person, "dvc checkout --allow-missing")


def test_two_who_push_at_once_lose_nothing(team: Team, tmp_path: Path) -> None:
    films = sorted((team.first.folder / "data/raw/street").rglob("*.???"))
    films = [film for film in films if film.suffix != ".csv"]
    made = {
        "yard": features_of(team.first, "yard", films[:2]),
        "barn": features_of(team.second, "barn", films[2:4]),
    }
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda person: types(person, PUSH), (team.first, team.second)))

    third = newcomer(team.origin, tmp_path / "third", team.store)
    types(third, FETCH)
    for domain, expected in made.items():
        told = types(third, APPLY, name=domain, check=False)
        missing = re.findall(r"^data/\S+", told, flags=re.MULTILINE)
        assert missing
        assert all(path.startswith(NEVER_SHARED) for path in missing)
        assert contents(third.folder / "data/features" / domain) == expected


def features_of(person: Workspace, domain: str, videos: list[Path]) -> dict[str, bytes]:
    """A person has videos of a domain of their own, and extracts its features."""
    folder = person.folder / "data/raw" / domain
    folder.mkdir()
    for video in videos:
        shutil.copy(video, folder)
    line = (
        "dvc exp run --allow-missing --name NAME -S +domains.NAME.dataset=folder "
        "-S task.target=NAME features@NAME pictures@NAME"
    )
    stages = ("index", "decode", "flow", "features", "pictures")
    run = stages_run(types(person, line, name=domain))
    assert sorted(run) == sorted(f"{stage}@{domain}" for stage in stages)
    return contents(person.folder / "data/features" / domain)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_conflict_in_git_costs_no_computation(finished: Workspace, tmp_path: Path) -> None:
    with STORES["directory"](tmp_path / "store") as store:
        team = new_team(finished, tmp_path, store)
        for person, value in ((team.first, 0.5), (team.second, 2)):
            person.set_params(adapt={"lambda1": value})
            assert stages_run(types(person, REPRO)) == OF_A_TASK
            person.commit()
        types(team.first, "git push")
        expected = results(team.second)

        told = types(team.second, "git pull --no-rebase", check=False)
        assert "CONFLICT (content): Merge conflict in dvc.lock" in told
        team.second.run("git", "checkout", "-q", "--ours", "params.yaml")
        types(
            team.second,
            "git checkout --theirs dvc.lock results/metrics.json results/retrieval.json",
        )
        assert stages_run(types(team.second, REPRO)) == []
        assert results(team.second) == expected
        team.second.commit()
        types(team.second, "git push")
