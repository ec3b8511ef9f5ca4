"""Sweeps: experiments that differ in one weight alone, each once, in the order of numbers."""

from xml.etree import ElementTree

from pipeline import comparison, sensitivity
from pipeline.experiments import Experiment

PAIR = ("lab -> yard", "mtran")


def experiment(name: str, accuracy: float | None = 0.7, **params: float | str) -> Experiment:
    told: dict[str, float | str] = {"lambda1": 1, "lambda2": 1, "lambda3": 0.05, "epochs": 30}
    texts = {f"adapt.{key}": str(value) for key, value in (told | params).items()}
    task = {"task.source": "lab", "task.target": "yard", "adapt.method": "mtran"}
    known = {"source_only": 0.5, "adapted": accuracy, "sd": 0.02} if accuracy is not None else {}
    scores = dict.fromkeys(("source_only", "adapted", "sd")) | known
    return Experiment(name, task | texts, scores | {"mean_entropy": 0.3, "marginal_entropy": 1.6})


def swept(weight: str, *values: float, epochs: int = 30) -> list[Experiment]:
    return [experiment(f"{weight} {v}", 0.7, **{weight: v, "epochs": epochs}) for v in values]


def names(found: list[Experiment], weight: str) -> list[str]:
    return [one.name for one in sensitivity.sweeps(found)[PAIR][weight].experiments]


def test_values_stand_in_the_order_of_numbers() -> None:
    found = swept("lambda1", 10, 2, 0.5)
    assert sensitivity.sweeps(found)[PAIR]["lambda1"].values == [0.5, 2, 10]


def test_what_differs_in_two_things_is_not_mixed() -> None:
    more = [*swept("lambda1", 20, epochs=5), experiment("both", lambda1=30, lambda2=3)]
    found = swept("lambda1", 0.5, 2, 10) + more
    assert names(found, "lambda1") == ["lambda1 0.5", "lambda1 2", "lambda1 10"]
    (first, *rest) = swept("lambda1", 0.5, 2, 10)
    other_model = Experiment(first.name, first.params, first.scores, ("another source model",))
    assert not sensitivity.sweeps([other_model, *rest])


def test_an_experiment_stands_once_in_a_sweep_and_in_the_sweep_of_each_weight() -> None:
    found = [*swept("lambda1", 0.5, 2), *swept("lambda3", 0.01, 0.2), experiment("base")]
    assert names(found, "lambda1") == ["lambda1 0.5", "base", "lambda1 2"]
    assert names(found, "lambda3") == ["lambda3 0.01", "base", "lambda3 0.2"]
    assert "lambda2" not in sensitivity.sweeps(found)[PAIR]


def test_two_values_are_no_sweep() -> None:
    assert not sensitivity.sweeps(swept("lambda1", 0.5, 2) + swept("lambda1", 2))


def test_the_sweep_with_most_values_is_taken_and_the_others_are_counted() -> None:
    found = swept("lambda1", 1, 2, 3, epochs=5) + swept("lambda1", 1, 2, 3, 4, epochs=9)
    sweep = sensitivity.sweeps(found)[PAIR]["lambda1"]
    assert (len(sweep.experiments), sweep.others) == (4, 1)
    assert sweep.held["adapt.epochs"] == "9"
    assert "adapt.lambda1" not in sweep.held


def test_two_experiments_of_one_value_are_both_drawn_and_the_line_is_their_mean() -> None:
    found = [*swept("lambda1", 1, 2, 3), experiment("again", 0.8, lambda1=2)]
    sweep = sensitivity.sweeps(found)[PAIR]["lambda1"]
    assert sweep.values == [1, 2, 2, 3]
    said = ElementTree.fromstring(comparison.sensitivity("s", sweep)).get("aria-label")
    assert said == "lambda1 from 1 to 3: accuracy 70.0%, 75.0%, 70.0%"


def test_panels_beside_one_another_have_one_axis() -> None:
    found = [*swept("lambda1", 1, 2, 3), *swept("lambda2", 2, 3), experiment("low", 0.1, lambda2=4)]
    own = sensitivity.sweeps(found)[PAIR]
    alone = comparison.sensitivity("s", own["lambda1"])
    assert alone != comparison.sensitivity("s", own["lambda1"], list(own.values()))
    for beside in ([], list(own.values())):
        low = comparison.sensitivity("s", own["lambda1"], beside).count(">20%<")
        assert low == (1 if beside else 0)


def test_without_all_labels_the_entropies_are_drawn() -> None:
    found = [*swept("lambda1", 1, 2), experiment("unlabelled", None, lambda1=3)]
    sweep = sensitivity.sweeps(found)[PAIR]["lambda1"]
    said = ElementTree.fromstring(comparison.sensitivity("s", sweep)).get("aria-label")
    assert said is not None
    assert "mean entropy 0.3, 0.3, 0.3; marginal entropy 1.6, 1.6, 1.6" in said


def test_an_old_commit_without_the_weight_is_left_out() -> None:
    assert not sensitivity.sweeps([*swept("lambda1", 1, 2), experiment("old", lambda1="")])
