"""dvc.yaml against the code: DVC sees neither imports nor which parameters a stage reads."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.imports import reached

ROOT = Path(__file__).parent.parent
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
DEMO = yaml.safe_load((ROOT / "data/demo/dvc.yaml").read_text())["stages"]
BENCHMARK = yaml.safe_load((ROOT / "benchmarks/dvc.yaml").read_text())["stages"]
JOINT = yaml.safe_load((ROOT / "joint/dvc.yaml").read_text())["stages"]
FINETUNE = yaml.safe_load((ROOT / "finetune/dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
ALL = STAGES | DEMO | JOINT | FINETUNE


def needed(stage: str) -> set[Path]:
    """Files of ours that a stage runs."""
    return reached([ROOT / f"pipeline/stages/{stage}.py"])


def code_deps(stage: str) -> list[Path]:
    folders_of_data = {"pipeline/templates"}
    deps = [dep for dep in ALL[stage]["deps"] if dep.startswith("pipeline")]
    return [ROOT / dep for dep in deps if dep not in folders_of_data]


def covers(dep: Path, file: Path) -> bool:
    return dep == file or dep in file.parents


def missing(stage: str) -> list[str]:
    lacking = {f for f in needed(stage) if not any(covers(dep, f) for dep in code_deps(stage))}
    return sorted(str(file.relative_to(ROOT)) for file in lacking)


@pytest.mark.parametrize("stage", ALL)
def test_deps_cover_every_file_that_a_stage_imports(stage: str) -> None:
    assert not missing(stage), f"dvc.yaml: stages.{stage}.deps lacks {missing(stage)}"


@pytest.mark.parametrize("stage", ALL)
def test_no_code_dep_is_idle(stage: str) -> None:
    files = needed(stage)
    idle = [dep for dep in code_deps(stage) if not any(covers(dep, file) for file in files)]
    assert not idle


def parameters_read(stage: str) -> set[str]:
    """Sections of params that a stage file reads: `p.<section>` in its own text."""
    tree = ast.parse((ROOT / f"pipeline/stages/{stage}.py").read_text())
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "p"
    }


@pytest.mark.parametrize("stage", ALL)
def test_parameters_that_a_stage_reads_are_declared(stage: str) -> None:
    declared = {str(name).split(".")[0] for name in ALL[stage].get("params", [])}
    steering = {"engine"}  # never changes a result
    text = yaml.safe_dump(ALL[stage])
    by_path = {
        name for name in ("task", "domains") if f"${{{name}." in text or "item.domain" in text
    }
    assert parameters_read(stage) - steering - by_path <= declared


@pytest.mark.parametrize("stage", ALL)
def test_no_parameter_reaches_a_shell(stage: str) -> None:
    """DVC puts it into the command as it stands: a domain called `x; rm -rf ~` would be run."""
    values = DEMO["demo"]["matrix"]["domain"] if stage == "demo" else []
    assert "${" not in ALL[stage]["cmd"] or values == ["studio", "street"]


def value_of(name: str) -> Any:
    value = PARAMS
    for part in name.split("."):
        value = value[part]
    return value


def keys_inside(value: Any) -> set[str]:
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(keys_inside(part) for part in value.values()))


@pytest.mark.parametrize("stage", ALL)
def test_the_run_cache_sees_every_parameter(stage: str) -> None:
    overlooked = {"size", "nfiles"}  # DVC leaves them out of the key, meaning those of files
    names = [name for name in ALL[stage].get("params", []) if "${" not in name]
    assert not [name for name in names if keys_inside(value_of(name)) & overlooked]


def test_what_sees_the_source_is_not_run_with_the_source_free_stages() -> None:
    assert not (JOINT | FINETUNE).keys() & STAGES.keys()
    theirs = [*JOINT.values(), *FINETUNE.values()]
    outs = {out for stage in theirs for out in stage["outs"]}
    outs |= {path for stage in theirs for out in stage.get("metrics", []) for path in out}
    assert {"models/joint", "results/joint.json", "models/finetuned"} < outs
    assert not [dep for stage in STAGES.values() for dep in stage["deps"] if dep in outs]
    assert not [
        stage
        for stage in STAGES
        if {"pipeline/joint", "pipeline/finetune"} & {*STAGES[stage]["deps"]}
    ]
    assert JOINT["joint"]["wdir"] == FINETUNE["finetune"]["wdir"] == ".."


def test_only_the_source_model_leads_from_the_source_to_adapt() -> None:
    assert not [dep for dep in STAGES["adapt"]["deps"] if "task.source" in dep]
    assert "models/source" in STAGES["adapt"]["deps"]


@pytest.mark.parametrize("stage", ["adapt", "index", "decode", "flow", "features"])
def test_labels_reach_neither_adapt_nor_the_features(stage: str) -> None:
    assert not [dep for dep in STAGES[stage]["deps"] if "labels" in dep or "classes.csv" in dep]


@pytest.mark.parametrize("stage", BENCHMARK)
def test_deps_of_the_benchmark_cover_what_decides_a_cell(stage: str) -> None:
    files = reached([ROOT / f"benchmarks/accuracy/{stage}.py"])
    deps = [ROOT / dep for dep in BENCHMARK[stage]["deps"]]
    lacking = [str(file) for file in files if not any(covers(dep, file) for dep in deps)]
    assert not lacking
