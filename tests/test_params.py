"""params.yaml: every fault is one line that names the key; what is right is read as it stands."""

import copy
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from pipeline import backbones, datasets, flow, params, selection
from pipeline.errors import UserError
from pipeline.joint import JOINT_METHODS
from pipeline.methods import METHODS

ROOT = Path(params.__file__).parent.parent
GOOD = yaml.safe_load((ROOT / "params.yaml").read_text())


def load(folder: Path, content: Any) -> params.Params:
    path = folder / "params.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    path.write_text(text, encoding="utf-8")
    return params.load(path)


def changed(key: str, value: Any) -> Any:
    content = copy.deepcopy(GOOD)
    *sections, last = key.split(".")
    inner = content
    for section in sections:
        inner = inner[section]
    inner[last] = value
    return content


def fault(folder: Path, content: Any) -> str:
    """What is told of a faulty file, without its name."""
    with pytest.raises(UserError) as caught:
        load(folder, content)
    lines = [
        line.removeprefix(f"{folder}/params.yaml: ") for line in str(caught.value).splitlines()
    ]
    assert len(lines) == 1, lines
    return lines[0]


def test_the_repositorys_own_parameters_are_read() -> None:
    p = params.load(ROOT / "params.yaml")
    assert {p.task.source, p.task.target} <= set(p.domains)
    assert p.clips.model_dump() == GOOD["clips"]


def test_values_never_change() -> None:
    p = params.load(ROOT / "params.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        p.adapt.lr = 1.0


FAULTS: list[tuple[str, Any, str]] = [
    ("adapt.lamda1", 3, "adapt.lamda1: unknown key; did you mean 'lambda1'?"),
    ("adpat", {}, "adpat: unknown key; did you mean 'adapt'?"),
    ("zzz", {}, "zzz: unknown key; known: task, domains, seeds"),
    ("domains.studio.datset", "demo", "domains.studio.datset: unknown key; did you mean 'dataset'"),
    ("task.sources", "a", "task.sources: unknown key; did you mean 'source'?"),
    ("engine.worker", 2, "engine.worker: unknown key; did you mean 'workers'?"),
    ("adapt.lr", "fast", "adapt.lr: should be a valid number"),
    ("adapt.lr", -1, "adapt.lr: should be greater than 0; got -1"),
    ("adapt.lr", None, "adapt.lr: should be a valid number; got None"),
    ("adapt.lr", float("nan"), "adapt.lr: should be a finite number; got nan"),
    ("adapt.lr", float("inf"), "adapt.lr: should be a finite number; got inf"),
    ("adapt.epochs", 50.5, "adapt.epochs: should be a valid integer"),
    ("adapt.epochs", "many", "adapt.epochs: should be a valid integer"),
    ("adapt.epochs", True, "adapt.epochs: true or false belong nowhere here"),
    ("adapt.lr", True, "adapt.lr: true or false belong nowhere here"),
    ("clips.segments", True, "clips.segments: true or false belong nowhere here"),
    ("seeds", [1, True], "seeds: true or false belong nowhere here"),
    ("engine.kind", "slurm", "engine.kind: should be 'local' or 'ray'; got 'slurm'"),
    ("engine.address", 6379, "engine.address: should be a valid string; got 6379"),
    ("engine.workers", True, "engine.workers: true or false belong nowhere here"),
    ("task.classes", [True, "walk"], "task.classes: true or false belong nowhere here (a name"),
    ("clips.segments", 0, "clips.segments: should be greater than 0; got 0"),
    ("clips.sampling", "random", "clips.sampling: should be 'spread', 'consecutive' or 'all'"),
    ("decode.size", 81, "decode.size: should be a multiple of 2; got 81"),
    ("decode.size", 16, "decode.size: should be greater than or equal to 32; got 16"),
    ("network.dropout", 1.0, "network.dropout: should be less than 1; got 1.0"),
    ("adapt.method", "mtrn", "adapt.method: should be 'source_only'"),
    ("adapt.method", ["mtran"], "adapt.method: should be 'source_only'"),
    ("adapt", None, "adapt: should be keys and values; got None"),
    ("adapt", [1], "adapt: should be keys and values; got [1]"),
    ("seeds", [], "seeds: at least one seed is needed; got []"),
    ("seeds", [1, 2, 1], "seeds: a seed stands twice"),
    ("seeds", [-1], "seeds.0: should be greater than or equal to 0; got -1"),
    ("seeds", [2**32], "seeds.0: should be less than 4294967296"),
    ("seeds", 3, "seeds: should be a list; got 3"),
    ("task.source", "nowhere", "task.source: no domain 'nowhere' under `domains`; there: "),
    ("task.source", GOOD["task"]["target"], "task: source and target are both"),
    ("task.classes", "walk", "task.classes: should be a list; got 'walk'"),
    ("domains.a b", {"dataset": "demo"}, "domains: 'a b': a domain's name has letters, digits"),
    ("domains.-a", {"dataset": "demo"}, "domains: '-a': a domain's name has letters, digits"),
    ("domains./a", {"dataset": "demo"}, "domains: '/a': a domain's name has letters, digits"),
    ("domains.a\n", {"dataset": "demo"}, "domains: 'a\\n': a domain's name has letters, digits"),
    ("domains.new", {}, "domains.new.dataset: missing"),
    ("domains.studio.dataset", "ucf", "domains.studio.dataset: should be 'demo'"),
    ("domains.studio.kitchen", "D1", "domains.studio: `kitchen` (D1, D2 or D3) goes with dataset"),
    ("domains.studio.dataset", "epic_kitchens", "domains.studio: `kitchen` (D1, D2 or D3) goes"),
    ("domains.studio.classes", 3, "domains.studio.classes: should be a class map's name or a list"),
    ("domains.studio.skip", {"a.avi": None}, "domains.studio.skip.a.avi: should be a valid string"),
    ("domains.studio.skip", ["a.avi"], "domains.studio.skip: should be keys and values"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "expected"), FAULTS)
def test_a_fault_is_one_line_with_the_keys_full_name(
    key: str, value: Any, expected: str, tmp_path: Path
) -> None:
    assert fault(tmp_path, changed(key, value)).startswith(expected)


def imported(*roles: str) -> Any:
    """The task's domains in these roles have imported features, and so has the backbone."""
    content = changed("features.backbone", "imported")
    for role in roles:
        content["domains"][content["task"][role]]["dataset"] = "imported"
    return content


def test_imported_domains_take_the_backbone_imported(tmp_path: Path) -> None:
    assert load(tmp_path, imported("source", "target")).features.backbone == "imported"


@pytest.mark.parametrize(
    ("roles", "backbone", "expected"),
    [
        ((), "imported", "imported does not fit domains.studio, whose dataset is demo; "),
        (("source",), "imported", "imported does not fit domains.street, whose dataset is demo; "),
        (("target",), "i3d", "i3d does not fit domains.street, whose dataset is imported; "),
        (("source", "target"), "i3d", "i3d does not fit domains.studio, whose dataset is imported"),
    ],
)
def test_imported_features_and_videos_do_not_mix(
    tmp_path: Path, roles: tuple[str, ...], backbone: str, expected: str
) -> None:
    content = imported(*roles)
    content["features"]["backbone"] = backbone
    assert fault(tmp_path, content).startswith(f"features.backbone: {expected}")


def test_a_domain_that_the_task_does_not_name_may_be_of_any_kind(tmp_path: Path) -> None:
    load(tmp_path, changed("domains.other", {"dataset": "imported"}))


@pytest.mark.parametrize(
    ("key", "misspelt"), [("adapt.lambda1", "lamda1"), ("adapt", "adpat"), ("task.source", "sorce")]
)
def test_a_misspelling_is_one_fault_and_not_a_missing_key_too(
    key: str, misspelt: str, tmp_path: Path
) -> None:
    content = copy.deepcopy(GOOD)
    *sections, last = key.split(".")
    inner = content[sections[0]] if sections else content
    inner[misspelt] = inner.pop(last)
    where = ".".join([*sections, misspelt])
    assert fault(tmp_path, content) == f"{where}: unknown key; did you mean {last!r}?"


def test_a_misspelt_key_of_a_domain_that_is_called_like_a_section_is_mended_right(
    tmp_path: Path,
) -> None:
    content = changed("domains.flow", {"dataset": "demo", "clases": None})
    assert fault(tmp_path, content).endswith("unknown key; did you mean 'classes'?")


def test_every_fault_gets_its_line(tmp_path: Path) -> None:
    content = changed("adapt.lr", -1)
    content["clips"]["frames"] = 1
    del content["flow"]
    with pytest.raises(UserError) as caught:
        load(tmp_path, content)
    lines = str(caught.value).splitlines()
    keys = sorted(line.split(": ")[1] for line in lines)
    assert keys == ["adapt.lr", "clips.frames", "flow"]
    assert all(line.startswith(f"{tmp_path}/params.yaml: ") for line in lines)


@pytest.mark.parametrize("key", ["domains", "seeds", "clips", "adapt", "adapt.method"])
def test_a_missing_key_is_named(key: str, tmp_path: Path) -> None:
    content = copy.deepcopy(GOOD)
    *sections, last = key.split(".")
    inner = content[sections[0]] if sections else content
    del inner[last]
    assert fault(tmp_path, content) == f"{key}: missing"


@pytest.mark.parametrize("text", ["", "3", "- a", "null"])
def test_a_file_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    assert fault(tmp_path, text).startswith("should be keys and values; got ")


@pytest.mark.parametrize("text", ["a: [1", "a:\n\tb: 1", "a: b: c", "\x00"])
def test_what_is_no_yaml_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    assert fault(tmp_path, text).startswith("not valid YAML: ")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("decode:\n", "decode:\n  size: 32\n", "the key 'size' stands twice, keep one"),
        ("seeds:", "seeds: [1]\nseeds:", "the key 'seeds' stands twice, keep one"),
        ("size: 64", f"size: 0x{'f' * 5000}", "a whole number of more than 64 bits"),
        ("size: 64", "size: 2001-99-99", "month must be in 1..12"),
        ("size: 64", "size: " + "[" * 5000, "maximum recursion depth exceeded"),
        ("size: 64", f"size: [&a 1{', *a' * 31}]", "more than 30 aliases"),
    ],
)
def test_what_yaml_takes_and_nobody_means_is_refused_in_one_line(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    text = (ROOT / "params.yaml").read_text()
    assert told in fault(tmp_path, text.replace(old, new, 1))


def test_aliases_and_merged_keys_are_read(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text()
    text = text.replace("studio: {dataset: demo}", "studio: &same {dataset: demo}")
    text = text.replace("street: {dataset: demo}", "street: {<<: *same}")
    assert load(tmp_path, text).domains["street"].dataset == "demo"


def test_clips_of_a_video_have_a_largest_number_of_frames(tmp_path: Path) -> None:
    text = fault(tmp_path, changed("clips.segments", 60000))
    assert text == "clips: segments x windows x frames is 960000, at most 65536 are read"


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"a: \xe9\xff")
    with pytest.raises(UserError, match="not valid YAML"):
        params.load(tmp_path / "params.yaml")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; run from the project's top folder"):
        params.load(tmp_path / "params.yaml")


@pytest.mark.parametrize("value", [1, "true", None])
def test_what_is_true_or_false_is_nothing_else(value: Any, tmp_path: Path) -> None:
    text = fault(tmp_path, changed("features.stream", value))
    assert text == f"features.stream: should be a valid boolean; got {value!r}"


# what is right


def test_features_are_streamed_only_where_it_is_asked_for(tmp_path: Path) -> None:
    content = changed("features.stream", True)
    assert load(tmp_path, content).features.stream is True
    del content["features"]["stream"]
    assert load(tmp_path, content).features.stream is False


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("adapt.lr", "1e-3", 0.001), ("adapt.lr", "1", 1.0), ("pretrain.weight_decay", "5e-4", 5e-4)],
)
def test_numbers_that_yaml_reads_as_text_are_numbers(
    key: str, text: str, value: float, tmp_path: Path
) -> None:
    section, name = key.split(".")
    assert getattr(getattr(load(tmp_path, changed(key, text)), section), name) == value


def test_a_bare_1e_3_is_a_number_too(tmp_path: Path) -> None:
    text = yaml.safe_dump(changed("adapt.lr", 77)).replace("lr: 77", "lr: 1e-3")
    assert yaml.safe_load(text)["adapt"]["lr"] == "1e-3"
    assert load(tmp_path, text).adapt.lr == 0.001


@pytest.mark.parametrize("classes", [None, "ucf_hmdb_full", ["a", "b"]])
def test_classes_of_a_domain_are_a_map_a_list_or_all(classes: Any, tmp_path: Path) -> None:
    p = load(tmp_path, changed("domains.studio.classes", classes))
    expected = tuple(classes) if isinstance(classes, list) else classes
    assert p.domains["studio"].classes == expected


def test_the_engine_needs_no_section(tmp_path: Path) -> None:
    content = copy.deepcopy(GOOD)
    del content["engine"]
    assert load(tmp_path, content).engine.workers is None


# the choices are those that the code knows


def choices(section: type[params.Section], name: str) -> set[str]:
    return set(get_args(section.model_fields[name].annotation))


def test_methods_are_those_that_there_are() -> None:
    assert choices(params.Adapt, "method") == set(METHODS)


def test_ways_to_select_are_those_that_there_are() -> None:
    assert choices(params.Adapt, "select") == set(get_args(selection.Select))


def test_joint_methods_are_those_that_there_are() -> None:
    assert choices(params.Joint, "method") == set(JOINT_METHODS)


def test_joint_training_needs_no_section_and_its_defaults_are_those_of_the_file(
    tmp_path: Path,
) -> None:
    content = copy.deepcopy(GOOD)
    del content["joint"]
    assert load(tmp_path, content).joint == load(tmp_path, GOOD).joint


def test_datasets_are_those_that_there_are() -> None:
    assert choices(params.Domain, "dataset") == set(get_args(datasets.Name))


def test_backbones_are_those_that_there_are() -> None:
    assert choices(params.Features, "backbone") - {"imported"} == set(get_args(backbones.Name))


def test_implementations_of_flow_are_those_that_there_are() -> None:
    assert choices(params.Flow, "implementation") == set(get_args(flow.Implementation))
