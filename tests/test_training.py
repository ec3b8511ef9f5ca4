import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from one_run import adapt, pretrain
from torch import Tensor
from two_domains import Domain, two_domains

from pipeline import selection, training
from pipeline.adaptation_log import AdaptationLog
from pipeline.descent import Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.methods import METHODS, Batch, Memory, Method, Weights
from pipeline.metrics import accuracy, label_free_scores
from pipeline.model import Model, State
from pipeline.network import Output, RelationNetwork
from pipeline.runs import Tensors
from pipeline.training import Trained, predict, shuffled_batches

CLASSES = 6
SETTINGS = Settings(epochs=2, batch_size=16)


def small(domain: Domain, count: int = 40) -> Domain:
    return Domain(domain.features.select(range(count)), domain.labels[:count])


SOURCE, TARGET = (small(domain) for domain in two_domains(seed=0, videos=(60, 60)))


def fresh(seed: int = 0) -> RelationNetwork:
    return RelationNetwork(SOURCE.features.dim, CLASSES, layers=1, seed=seed)


def pretrained(settings: Settings = SETTINGS, seed: int = 0) -> Trained:
    return pretrain(fresh(), SOURCE.features, SOURCE.labels, settings, seed)


def adapted(settings: Settings = SETTINGS, seed: int = 0, name: str = "mtran") -> Trained:
    return adapt(fresh(), TARGET.features, METHODS[name](Weights()), settings, seed)


def weights(model: RelationNetwork) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


# What training achieves


def test_labels_of_the_target_beat_the_source_model_and_that_beats_chance() -> None:
    source, target = two_domains(seed=1, shift=1.5)
    settings = Settings(epochs=5, batch_size=32)
    scores = [
        accuracy(
            predict(
                pretrain(fresh(), domain.features, domain.labels, settings, seed=0).model,
                target.features,
            ).logits.argmax(dim=1),
            target.labels,
        )
        for domain in (source, target)
    ]
    assert 2 / CLASSES < scores[0] < scores[1]


def test_the_loss_of_pretraining_falls() -> None:
    rows = pretrained(replace(SETTINGS, epochs=4)).rows
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["cross_entropy"] < rows[0]["cross_entropy"]


# One seed, one run


@pytest.mark.parametrize("run", [pretrained, adapted])
def test_one_seed_gives_one_log_and_the_same_bits(run: Callable[..., Trained]) -> None:
    torch.manual_seed(1)
    one = run(seed=5)
    torch.manual_seed(2)
    other = run(seed=5)
    assert one.rows == other.rows
    assert torch.equal(weights(one.model), weights(other.model))
    assert not torch.equal(weights(one.model), weights(run(seed=6).model))


@pytest.mark.parametrize("run", [pretrained, adapted])
def test_a_run_leaves_the_global_random_numbers_alone(run: Callable[..., Trained]) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    run()
    assert torch.equal(torch.rand(3), expected)


def test_the_predictions_of_every_epoch_are_those_of_its_model() -> None:
    whole = adapted(replace(SETTINGS, epochs=3))
    assert whole.predicted.shape == (4, len(TARGET.features))
    first = predict(fresh(), TARGET.features).logits.argmax(dim=1)
    last = predict(whole.model, TARGET.features).logits.argmax(dim=1)
    assert whole.predicted[0].tolist() == first.tolist()
    assert whole.predicted[-1].tolist() == last.tolist()


def test_videos_that_are_not_learnt_from_are_predicted_and_change_nothing() -> None:
    method, train = METHODS["mtran"](Weights()), list(range(5, 35))
    alone = adapt(fresh(), TARGET.features.select(train), method, SETTINGS, 0)
    beside = adapt(fresh(), TARGET.features, method, SETTINGS, 0, train)
    assert torch.equal(weights(alone.model), weights(beside.model))
    assert alone.rows == beside.rows
    assert beside.predicted.shape == (3, 40)
    assert torch.equal(beside.predicted[:, train], alone.predicted)


@pytest.mark.parametrize("score", selection.SCORES)
def test_the_epoch_with_the_best_score_is_the_result(score: selection.Score) -> None:
    method, settings = METHODS["mtran"](Weights()), replace(SETTINGS, epochs=4, lr=0.05)
    (run,) = training.adapt({0: fresh()}, TARGET.features, method, settings, select=score).values()
    assert run.epoch == selection.best_epoch(run.rows, score)
    own = predict(run.model, TARGET.features).logits.argmax(dim=1)
    assert own.tolist() == run.predicted[run.epoch].tolist()


# Several seeds, one batched model


@pytest.mark.parametrize("name", METHODS)
def test_a_seed_beside_others_gives_what_it_gives_alone(name: str) -> None:
    method = METHODS[name](Weights())
    models = {seed: fresh(seed) for seed in (3, 1, 2)}
    together = training.adapt(models, TARGET.features, method, SETTINGS)
    assert list(together) == [3, 1, 2]
    for seed, model in models.items():
        alone = adapt(model, TARGET.features, method, SETTINGS, seed)
        torch.testing.assert_close(weights(together[seed].model), weights(alone.model))
        for row, other in zip(together[seed].rows, alone.rows, strict=True):
            assert row == pytest.approx(other, rel=1e-3, abs=1e-4)


def test_source_models_of_several_seeds_are_those_of_each_alone() -> None:
    models = {seed: fresh(seed) for seed in (5, 4)}
    settings = replace(SETTINGS, clip_norm=0.1, weight_decay=1e-3, schedule="decay")
    together = training.pretrain(models, SOURCE.features, SOURCE.labels, settings)
    for seed, model in models.items():
        alone = pretrain(model, SOURCE.features, SOURCE.labels, settings, seed).model
        torch.testing.assert_close(weights(together[seed].model), weights(alone))


def test_the_model_that_a_run_begins_with_stays_as_it_is() -> None:
    model = fresh()
    before = weights(model)
    pretrain(model, SOURCE.features, SOURCE.labels, SETTINGS, 0)
    adapt(model, TARGET.features, METHODS["mtran"](Weights()), SETTINGS, 0)
    assert torch.equal(weights(model), before)
    assert all(weight.grad is None for weight in model.parameters())


# What adaptation changes


@pytest.mark.parametrize("name", [name for name in METHODS if name != "source_only"])
def test_adaptation_trains_everything_but_what_the_method_freezes(name: str) -> None:
    before = fresh().state_dict()
    unlearnt = ("inputs.", *METHODS[name](Weights()).frozen)
    frozen = {key for key in before if key.startswith(unlearnt)}
    settings = replace(SETTINGS, weight_decay=1e-3, nesterov=True, clip_norm=20.0)
    after = adapted(settings, name=name).model.state_dict()
    same = {key for key in before if torch.equal(before[key], after[key])}
    assert same == frozen


def test_pretraining_after_adaptation_trains_the_classifier_again() -> None:
    model = adapted().model
    again = pretrain(model, SOURCE.features, SOURCE.labels, SETTINGS, 0).model
    assert not torch.equal(again.classifier.weight, model.classifier.weight)


def test_source_only_takes_no_step_and_has_one_row() -> None:
    run = adapted(name="source_only")
    assert torch.equal(weights(run.model), weights(fresh()))
    assert [row["epoch"] for row in run.rows] == [0]


class Probe(Method):
    """Writes down how it is called; steps do nothing but count."""

    def __init__(self) -> None:
        super().__init__(Weights())
        object.__setattr__(self, "calls", [])
        self.calls: list[str]

    def begin(self, predictions: Output, features: Features, weights: Tensors) -> dict[str, Tensor]:
        self.calls.append("begin")
        return {"steps": torch.zeros(())}

    def remember(self, predictions: Output, state: State) -> Memory:
        assert not predictions.logits.requires_grad
        self.calls.append(f"remember {state['steps']:.0f}")
        return super().remember(predictions, state)

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        self.calls.append("losses")
        model.keep(one=torch.ones(()))
        return {
            "square": model(features.rgb[batch.videos], features.flow[batch.videos])
            .logits.square()
            .mean()
        }

    def after_step(self, model: Model, batch: Batch) -> dict[str, Tensor]:
        return {"steps": model.state["steps"] + model.kept["one"]}


def test_each_epoch_begins_with_a_new_memory_and_each_step_with_the_state_of_the_last() -> None:
    probe = Probe()
    adapt(fresh(), TARGET.features, probe, SETTINGS, 0)
    steps = ["losses"] * 3
    assert probe.calls == ["begin", "remember 0", *steps, "remember 3", *steps, "remember 6"]


# The log


def test_the_log_of_adaptation_holds_losses_scores_and_changes() -> None:
    run = adapted()
    scores = label_free_scores(predict(run.model, TARGET.features).logits)
    losses = [
        "information_maximisation",
        "pseudo_label",
        "multimodal_alignment",
        "temporal_alignment",
    ]
    changes = ["pseudo_label_change", "split_change"]
    first, *others = run.rows
    probes = ["clip_consistency", "mixup_consistency"]
    assert list(first) == ["epoch", *scores, *probes, "entropy_threshold"]
    for row in others:
        named = [f"{name}_loss" for name in losses]
        own = probes if row is others[-1] else []
        assert list(row) == ["epoch", *named, *scores, *own, "entropy_threshold", *changes]
    assert {name: run.rows[-1][name] for name in scores} == pytest.approx(scores)


def output(logits: Tensor) -> Output:
    feature = torch.ones(len(logits), 2)
    return Output(logits, feature, feature, feature, torch.ones(len(logits), 2, 1, 1, 1))


def test_changes_are_shares_of_the_videos() -> None:
    log = AdaptationLog("do this")
    high, low = torch.tensor([0, 1]), torch.tensor([2, 3])
    logits = torch.tensor([[9.0, 0.0], [5.0, 0.0], [0.0, 2.0], [0.0, 1.0]])
    log.add(0, {}, output(logits), Memory(torch.tensor([0, 0, 1, 1]), high, low), {})
    log.add(1, {}, output(logits), Memory(torch.tensor([0, 1, 1, 1]), high.flip(0), low), {})
    log.add(2, {}, output(logits), Memory(torch.tensor([1, 0, 0, 1]), low, high), {})
    assert [row["pseudo_label_change"] for row in log.rows[1:]] == [0.25, 0.75]
    assert [row["split_change"] for row in log.rows[1:]] == [0, 1]
    p = 1 / (1 + math.exp(-2))
    threshold = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert log.rows[0]["entropy_threshold"] == pytest.approx(threshold)


def test_a_class_that_vanishes_is_warned_of_once() -> None:
    log = AdaptationLog("do this")
    for epoch, predicted in enumerate(([0, 1, 1, 2], [0, 0, 0, 2], [0, 1, 0, 2], [0, 0, 0, 2])):
        logits = 5 * torch.eye(4)[torch.tensor(predicted)]
        log.add(epoch, {}, output(logits), Method(Weights()).remember(output(logits), {}), {})
    (warning,) = log.warnings
    assert warning.startswith("epoch 1: class 1 was predicted for 2 videos")
    assert warning.endswith("do this")


def churn(*changes: int) -> list[str]:
    """The warnings of a log in which so many of 100 pseudo-labels change from epoch to epoch."""
    log, labels = AdaptationLog("do this"), torch.zeros(100, dtype=torch.long)
    logits, split = torch.zeros(100, 2), (torch.arange(50), torch.arange(50, 100))
    log.add(0, {}, output(logits), Memory(labels, *split), {})
    for epoch, count in enumerate(changes, start=1):
        labels = labels.clone()
        labels[:count] = 1 - labels[:count]
        log.add(epoch, {}, output(logits), Memory(labels, *split), {})
    return log.warnings


def test_pseudo_labels_that_change_more_three_times_in_a_row_are_warned_of_once() -> None:
    (warning,) = churn(1, 2, 4, 8, 16, 32)
    assert warning.startswith("epoch 4: ")
    assert "(1.0 %, 2.0 %, 4.0 %, 8.0 % of the videos)" in warning


def test_a_rise_is_warned_of_as_soon_as_it_matters() -> None:
    (warning,) = churn(1, 2, 3, 4, 20, 40)
    assert warning.startswith("epoch 5: ")


@pytest.mark.parametrize(
    "changes", [(40, 30, 20, 10), (10, 20, 30, 30, 40, 50), (20, 30, 40, 10, 20, 30), (1, 2, 3, 4)]
)
def test_pseudo_labels_that_settle_or_waver_are_not_warned_of(changes: tuple[int, ...]) -> None:
    assert churn(*changes) == []


# Settings and their effect


def test_label_smoothing_keeps_the_loss_up() -> None:
    sharp, smooth = (
        pretrained(Settings(epochs=8, batch_size=16, label_smoothing=amount)).rows[-1]
        for amount in (0.0, 0.5)
    )
    assert smooth["cross_entropy"] > sharp["cross_entropy"] + 0.3


def test_a_clipped_step_is_no_longer_than_lr_times_the_clip_norm() -> None:
    settings = Settings(epochs=1, batch_size=64, momentum=0.0, lr=0.5, clip_norm=0.01)
    step = weights(pretrained(settings).model) - weights(fresh())
    assert step.norm().item() == pytest.approx(0.005, rel=1e-3)


def test_weight_decay_shrinks_weights() -> None:
    plain, decayed = (
        weights(pretrained(replace(SETTINGS, weight_decay=amount)).model).norm()
        for amount in (0.0, 1.0)
    )
    assert decayed < plain


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("lr", 0.0),
        ("lr", math.nan),
        ("batch_size", 1),
        ("momentum", 1.0),
        ("weight_decay", -1.0),
        ("label_smoothing", 1.0),
        ("clip_norm", 0.0),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{name} must be .* found {value}"):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(UserError, match="nesterov must be off without momentum"):
        Settings(nesterov=True, momentum=0.0)


# Batches and prediction


def test_shuffled_batches_show_every_video_once_and_no_video_alone() -> None:
    def batches(count: int) -> Iterator[Tensor]:
        return shuffled_batches(count, Settings(batch_size=4), torch.Generator().manual_seed(0))

    assert sorted(torch.cat(list(batches(10))).tolist()) == list(range(10))
    assert [len(batch) for batch in batches(10)] == [4, 3, 3]
    assert [len(batch) for batch in batches(9)] == [3, 3, 3]
    assert [len(batch) for batch in batches(3)] == [3]


@pytest.mark.parametrize("count", [2, 3])
def test_domains_smaller_than_a_batch_are_trained_on(count: int) -> None:
    source, target = small(SOURCE, count), small(TARGET, count)
    settings = Settings(epochs=1)
    model = pretrain(fresh(), source.features, source.labels, settings, 0).model
    assert not torch.equal(weights(model), weights(fresh()))
    after = adapt(model, target.features, METHODS["mtran"](Weights()), settings, 0).model
    assert not torch.equal(weights(after), weights(model))


def test_prediction_does_not_depend_on_the_batch_size() -> None:
    model = fresh()
    whole, parts = (predict(model, TARGET.features, batch_size) for batch_size in (1024, 7))
    assert whole.logits.shape == (40, CLASSES)
    assert not whole.logits.requires_grad
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other)


# What is refused


def test_a_single_video_is_not_enough() -> None:
    alone = small(TARGET, 1)
    with pytest.raises(UserError, match="at least 2 videos; found 1"):
        adapt(fresh(), alone.features, METHODS["shot"](Weights()), SETTINGS, 0)
    with pytest.raises(UserError, match="at least 2 videos; found 1"):
        pretrain(fresh(), alone.features, alone.labels, SETTINGS, 0)


def test_features_of_another_width_are_refused_with_both_sides() -> None:
    narrow = Features(("a", "b"), torch.zeros(2, 5, 32), torch.zeros(2, 5, 32))
    for use in (
        lambda: predict(fresh(), narrow),
        lambda: adapt(fresh(), narrow, METHODS["shot"](Weights()), SETTINGS, 0),
        lambda: pretrain(fresh(), narrow, torch.tensor([0, 1]), SETTINGS, 0),
    ):
        with pytest.raises(UserError, match="32 wide, the model expects 64"):
            use()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(39, dtype=torch.long), r"40 integers, one a video; found \(39,\)"),
        (torch.zeros(40), r"found \(40,\) of torch\.float32"),
        (torch.arange(40), r"in \[0, 6\), the model's classes; found 0 to 39"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pretrain(fresh(), SOURCE.features, labels, SETTINGS, 0)


@pytest.mark.parametrize("run", [pretrained, adapted])
def test_training_that_runs_away_says_what_to_lower(run: Callable[..., Trained]) -> None:
    with pytest.raises(UserError, match=r"epoch 1: training ran away.*lower lr \(now 1e\+30\)"):
        run(Settings(epochs=3, batch_size=16, lr=1e30))
