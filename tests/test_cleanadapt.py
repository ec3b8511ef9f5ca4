import pytest
import torch
import torch.nn.functional as F
from one_run import adapt, pretrain
from one_step import in_a_step, terms
from torch import Tensor
from two_domains import Domain, two_domains

from pipeline import training
from pipeline.descent import Settings
from pipeline.methods import Memory, Weights
from pipeline.methods.cleanadapt import CleanAdapt
from pipeline.methods.cleanadapt_teacher import CleanAdaptTeacher
from pipeline.metrics import accuracy
from pipeline.model import Model
from pipeline.network import Output, RelationNetwork
from pipeline.noise import Noise
from pipeline.prediction import predict

SOURCE, TARGET = two_domains(seed=0, videos=(60, 60), shift=1.5)
FEATURES = TARGET.features
PLAIN, TEACHER = CleanAdapt(Weights()), CleanAdaptTeacher(Weights())
SETTINGS = Settings(epochs=3, batch_size=16)


@pytest.fixture(scope="module")
def network() -> RelationNetwork:
    fresh = RelationNetwork(FEATURES.dim, 6, layers=1, dropout=0.0)
    settings = Settings(epochs=5, batch_size=16)
    return pretrain(fresh, SOURCE.features, SOURCE.labels, settings, 0).model


def output(logits: Tensor) -> Output:
    return Output(logits, logits, logits, logits, logits)


def sure(labels: list[int], how_sure: list[float]) -> Output:
    """Predictions of three classes: the labels, and by how much more than the others."""
    return output(F.one_hot(torch.tensor(labels), 3) * torch.tensor(how_sure)[:, None])


# Without a teacher


def test_labels_are_the_source_models_to_the_end(network: RelationNetwork) -> None:
    predicted = predict(network, FEATURES).logits.argmax(dim=1)
    state = in_a_step(PLAIN, network, FEATURES).state
    assert torch.equal(state["labels"], predicted)
    others = predict(RelationNetwork(FEATURES.dim, 6, layers=1, seed=9), FEATURES)
    assert torch.equal(PLAIN.remember(others, state).pseudo_labels, predicted)
    changes = [row["pseudo_label_change"] for row in _rows(network)[1:]]
    assert changes == [0, 0, 0]


def _rows(network: RelationNetwork) -> tuple[dict[str, float], ...]:
    return adapt(network, FEATURES, PLAIN, SETTINGS, 0).rows


def test_of_each_label_the_surer_half_is_learnt_from() -> None:
    state = {"labels": torch.tensor([0, 0, 0, 0, 2, 2])}
    predictions = sure([0, 0, 1, 0, 2, 2], [1.0, 3.0, 9.0, 2.0, 0.5, 0.4])
    kept = PLAIN.remember(predictions, state).notes["kept"]
    assert kept.tolist() == [False, True, False, True, True, False]


def test_as_published_the_loss_is_of_the_videos_that_are_kept(network: RelationNetwork) -> None:
    method = CleanAdapt(Weights(), balance=0.0)
    model = in_a_step(method, network, FEATURES)
    memory = method.remember(predict(network, FEATURES), model.state)
    batch = next(method.batches(memory, 32, torch.Generator()))
    kept = [video for video in batch.videos.tolist() if memory.notes["kept"][video]]
    assert 0 < len(kept) < len(batch.videos)
    said = predict(network, FEATURES.select(kept))
    expected = F.cross_entropy(said.logits, memory.pseudo_labels[kept])
    got = method.losses(model, FEATURES, batch, memory)
    assert list(got) == ["kept_label"]
    torch.testing.assert_close(got["kept_label"], expected)


def test_the_labels_weigh_the_same_in_an_epochs_loss(network: RelationNetwork) -> None:
    model = in_a_step(PLAIN, network, FEATURES)
    memory = PLAIN.remember(predict(network, FEATURES), model.state)
    (batch,) = PLAIN.batches(memory, 60, torch.Generator())
    said, labels, kept = (
        predict(network, FEATURES).logits,
        memory.pseudo_labels,
        memory.notes["kept"],
    )
    each = [
        F.cross_entropy(said[kept & (labels == label)], labels[kept & (labels == label)])
        for label in labels.unique()
    ]
    got = PLAIN.losses(model, FEATURES, batch, memory)["kept_label"]
    torch.testing.assert_close(got, torch.stack(each).mean())


def test_equal_weights_keep_what_a_weak_source_model_knows() -> None:
    source, target = two_domains(seed=0, shift=1.5)
    untrained = {seed: RelationNetwork(FEATURES.dim, 6, layers=2, seed=seed) for seed in (0, 1)}
    settings = Settings(epochs=2, batch_size=32)
    runs = training.pretrain(untrained, source.features, source.labels, settings)
    weak = {seed: run.model for seed, run in runs.items()}
    lost = {}
    for balance in (0.0, 1.0):
        method = CleanAdapt(Weights(), balance=balance)
        short = Settings(epochs=2, lr=0.001, batch_size=32)
        after = training.adapt(weak, target.features, method, short)
        lost[balance] = [
            score(weak[seed], target) - score(run.model, target) for seed, run in after.items()
        ]
    assert min(lost[0.0]) > 0.15
    assert max(lost[1.0]) <= 0


def score(model: RelationNetwork, target: Domain) -> float:
    return accuracy(predict(model, target.features).logits.argmax(dim=1), target.labels)


def test_with_a_share_of_one_every_video_is_learnt_from(network: RelationNetwork) -> None:
    method = CleanAdapt(Weights(), share=1.0)
    state = in_a_step(method, network, FEATURES).state
    assert method.remember(predict(network, FEATURES), state).notes["kept"].all()


def test_the_kept_labels_are_better_than_all_labels(network: RelationNetwork) -> None:
    state = in_a_step(PLAIN, network, FEATURES).state
    memory = PLAIN.remember(predict(network, FEATURES), state)
    right = (memory.pseudo_labels == TARGET.labels).double()
    assert right[memory.notes["kept"]].mean() > right.mean()


def test_the_weights_of_the_losses_have_no_effect(network: RelationNetwork) -> None:
    for method in (CleanAdapt, CleanAdaptTeacher):
        one, other = (terms(method(Weights(lambda1=w)), network, FEATURES) for w in (0.0, 9.0))
        assert one == other


# With a teacher


def in_the_teachers_step(network: RelationNetwork, scale: float = 1.0) -> tuple[Model, Memory]:
    """A step of a student whose weights are `scale` times the teacher's."""
    started = in_a_step(TEACHER, network, FEATURES)
    weights = {name: scale * weight for name, weight in started.weights.items()}
    noise = Noise(torch.tensor(0), torch.device("cpu"))
    model = Model(network, weights, noise, state=started.state)
    return model, TEACHER.remember(predict(network, FEATURES), model.state)


def test_the_teacher_begins_as_the_source_model_and_follows_slowly(
    network: RelationNetwork,
) -> None:
    model, memory = in_the_teachers_step(network, scale=3.0)
    batch = next(TEACHER.batches(memory, 16, torch.Generator()))
    TEACHER.losses(model, FEATURES, batch, memory)
    after = TEACHER.after_step(model, batch)
    for name, weight in network.state_dict().items():
        assert torch.equal(model.state["teacher"][name], weight)
        torch.testing.assert_close(after["teacher"][name], (0.99 + 0.01 * 3) * weight)
    assert torch.equal(after["labels"], memory.pseudo_labels)


def test_the_teacher_is_what_is_reported_and_it_stays_close_to_the_source_model(
    network: RelationNetwork,
) -> None:
    student, teacher = (
        adapt(network, FEATURES, CleanAdaptTeacher(Weights(), momentum=momentum), SETTINGS, 0)
        for momentum in (0.0, 0.99)
    )
    moved = [
        (run.model.fusion.weight - network.fusion.weight).norm().item()
        for run in (student, teacher)
    ]
    assert 0 < moved[1] < 0.5 * moved[0]
    state = {"teacher": {"a": torch.ones(1)}}
    assert TEACHER.reported({"a": torch.zeros(1)}, state) == state["teacher"]


def test_the_teacher_labels_anew() -> None:
    state = {"labels": torch.tensor([0, 0, 2])}
    memory = TEACHER.remember(sure([0, 1, 2], [1.0, 1.0, 1.0]), state)
    assert memory.pseudo_labels.tolist() == [0, 1, 2]


def test_a_video_whose_label_has_changed_is_kept_last() -> None:
    state = {"labels": torch.tensor([0, 0, 1, 1])}
    memory = TEACHER.remember(sure([0, 0, 0, 0], [1.0, 0.5, 9.0, 8.0]), state)
    assert memory.notes["kept"].tolist() == [True, True, False, False]


def test_the_student_sees_other_videos_than_the_teacher(network: RelationNetwork) -> None:
    calm = CleanAdaptTeacher(Weights(), dropped=0.0, noise=0.0)
    plain = terms(PLAIN, network, FEATURES)["kept_label"]
    torch.testing.assert_close(terms(calm, network, FEATURES)["kept_label"], plain)
    for strong in (
        CleanAdaptTeacher(Weights(), dropped=0.0),
        CleanAdaptTeacher(Weights(), noise=0.0),
    ):
        assert not torch.isclose(terms(strong, network, FEATURES)["kept_label"], plain)
