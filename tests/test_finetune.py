"""Training of the two-stream backbone: the losses of joint training, of features that it makes."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from films_cached import (
    LENGTH,
    MOVING,
    SIZE,
    STILL,
    both,
    joint,
    network,
    note,
    run_of,
    source_free,
    source_free_run,
    weights,
)
from torch import Tensor

from pipeline.backbones.i3d import I3D
from pipeline.errors import UserError
from pipeline.finetune import survey
from pipeline.finetune.domain_norm import DomainNorm, know_source_alone, with_one_domain
from pipeline.finetune.network import TwoStream
from pipeline.finetune.run import Known, Run, Step
from pipeline.finetune.training import adapt, normalised_as, train_jointly
from pipeline.joint import JointBatch, JointData
from pipeline.joint.method import Domain
from pipeline.methods.unpaired import Unpaired
from pipeline.model import Model
from pipeline.noise import Noise

# the losses are those of features


@pytest.mark.parametrize(
    "name", ["cross_modal_contrastive", "contrastive_same_windows", "mm_sada", "mmd"]
)
def test_with_a_still_backbone_the_first_step_has_the_losses_of_stored_features(
    name: str, tmp_path: Path
) -> None:
    """Videos of one window each; the method's object, batch, banks and noise are the same."""
    data, method = both(tmp_path, count=LENGTH), joint(name)
    run = run_of(data, method, STILL)
    source, target = (
        survey.features(run.network, videos, domain, windows=1, workers=0)
        for domain, videos in data.by_domain().items()
    )
    run.state = method.begin(survey.said(run.network, source), survey.said(run.network, target))
    batch = JointBatch(torch.tensor([4, 0, 2]), torch.tensor([1, 3, 0]))
    found: list[dict[str, Tensor]] = []

    def objective(model: Model, drawn: JointBatch, known: Known) -> dict[str, Tensor]:
        for one, other in ((source, target), (known["source"], known["target"])):
            model.noise = Noise(torch.tensor(7), torch.device("cpu"))
            found.append(method.losses(model, JointData(one, data.labels, other), drawn))
        return found[-1]

    step = Step(batch, {"source": batch.source, "target": batch.target})
    run.step(step, next(run.clips([step])), objective, None, progress=0.5)
    stored, seen = found
    assert seen.keys() == stored.keys()
    for term, value in seen.items():
        torch.testing.assert_close(value, stored[term], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["cross_modal_contrastive", "adabn", "source_only_late"])
def test_a_method_takes_its_steps_and_teaches_the_backbones(name: str, tmp_path: Path) -> None:
    data, method = both(tmp_path), joint(name)
    run = run_of(data, method, MOVING)
    before = {key: value.clone() for key, value in run.network.state_dict().items()}
    result = train_jointly(run, data, method, note)
    assert [row["epoch"] for row in run.rows] == [1, 2]
    assert all(math.isfinite(value) for row in run.rows for value in row.values())
    moved = {key for key, value in result.state_dict().items() if not value.equal(before[key])}
    still = {key for key in before if key.endswith(".bn.target")}
    assert moved >= before.keys() - still
    assert bool(moved & still) == (normalised_as(method) == "target")


@pytest.mark.parametrize("name", ["cleanadapt", "cleanadapt_teacher"])
def test_a_source_free_method_sees_the_target_alone(name: str, tmp_path: Path) -> None:
    data = both(tmp_path)
    run = source_free_run(data)
    source = {key: v.clone() for key, v in run.network.state_dict().items() if "source" in key}
    result = adapt(run, data.target, source_free(name), note)
    assert not weights(result).equal(weights(network()))
    assert all(result.state_dict()[key].equal(value) for key, value in source.items())
    assert [row["epoch"] for row in run.rows] == [1, 2]
    assert all(0 < row["kept"] <= 1 for row in run.rows)


@pytest.mark.parametrize("statistics", ["own", "stored"])
def test_the_first_pseudo_labels_know_the_targets_statistics_if_training_does(
    statistics: Literal["own", "stored"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, method, began = both(tmp_path), source_free("cleanadapt"), list[dict[str, Tensor]]()
    settings = replace(MOVING, epochs=1, statistics=statistics)
    run = Run(network(), {}, settings, 0, {"target": data.target}, "independent")

    begin = type(method).begin

    def seen(self: Unpaired, *given: Any) -> Any:
        began.append(given[-1])
        return begin(self, *given)

    monkeypatch.setattr(type(method), "begin", seen)
    adapt(run, data.target, method, note)
    expected = network()
    if statistics == "own":
        survey.learn_statistics(expected, data.target, settings.batch_size, 0)
        assert not weights(expected).equal(weights(network()))
    else:
        know_source_alone(expected)
    assert all(began[0][name].equal(value) for name, value in expected.state_dict().items())


@pytest.mark.parametrize("statistics", ["own", "stored"])
def test_a_source_free_method_knows_nothing_of_an_earlier_target(
    statistics: Literal["own", "stored"], tmp_path: Path
) -> None:
    data, ends = both(tmp_path), []
    for other in (0.0, 1.0):
        settings = replace(MOVING, statistics=statistics)
        run = Run(network(), {}, settings, 0, {"target": data.target}, "independent")
        for module in run.network.modules():
            if isinstance(module, DomainNorm):
                module.target.add_(other)
        ends.append(weights(adapt(run, data.target, source_free("cleanadapt"), note)))
    assert ends[0].equal(ends[1])


def test_a_method_that_looks_at_videos_beyond_its_batch_is_found_out(tmp_path: Path) -> None:
    data, method = both(tmp_path), joint("source_only_late")
    run = run_of(data, method, STILL)

    def objective(model: Model, drawn: JointBatch, known: Known) -> dict[str, Tensor]:
        return {"greedy": known["source"].rgb.mean()}

    steps = [Step(JointBatch(torch.arange(3), torch.arange(3)), {"source": torch.arange(3)})]
    with pytest.raises(UserError, match="greedy is nan"):
        run.descend(steps, objective, None)


# statistics and micro-batches


def test_a_single_value_that_is_to_be_normalised_is_told() -> None:
    clips = torch.rand(1, 3, 2, 2, 2)
    with pytest.raises(UserError, match=r"raise finetune\.micro_batch"):
        network().features(clips, clips[:, :2], "source", own=True)


def test_each_domain_has_statistics_of_its_own_which_move_once_a_step(tmp_path: Path) -> None:
    """The first layer's: a tenth of the way to what its convolution makes of the clips.

    The network hardly learns, so that activations which are computed again are those of before.
    """
    data, method = both(tmp_path, count=LENGTH), joint("mmd")
    still = replace(STILL, statistics="own", lr=1e-12)
    run = run_of(data, method, still, network(micro_batch=1))
    unit = run.network.get_submodule("rgb.first")
    norm, conv = unit.get_submodule("bn"), unit.get_submodule("conv3d")
    assert isinstance(norm, DomainNorm)
    expected, before = norm.target.clone(), norm.source.clone()
    maps: list[Tensor] = []
    conv.register_forward_hook(lambda _, given, made: maps.append(made.detach()))
    for videos in (torch.tensor([0, 1]), torch.tensor([2, 3])):
        step = Step(JointBatch(videos, videos), {"target": videos})
        clips = next(run.clips([step]))
        maps.clear()
        run.step(step, clips, lambda m, b, known: {"x": known["target"].rgb[b[1]].sum()}, None, 0.0)
        seen = [torch.stack([m.mean((0, 2, 3, 4)), m.var((0, 2, 3, 4))]) for m in maps[:2]]
        expected = 0.9 * expected + 0.1 * torch.stack(seen).mean(0)
    torch.testing.assert_close(norm.target, expected)
    assert norm.source.equal(before)


def test_micro_batches_change_neither_losses_nor_gradients(tmp_path: Path) -> None:
    data, method = both(tmp_path), joint("cross_modal_contrastive")
    ends = []
    for micro_batch in (None, 2):
        run = run_of(data, method, STILL, network(micro_batch=micro_batch))
        train_jointly(run, data, method, note)
        ends.append((weights(run.network), run.rows))
    torch.testing.assert_close(ends[0][0], ends[1][0], rtol=1e-4, atol=1e-5)
    assert ends[0][1] == [pytest.approx(row, rel=1e-4) for row in ends[1][1]]


def test_bfloat16_stays_near_and_weights_stay_float32(tmp_path: Path) -> None:
    data, method = both(tmp_path), joint("cross_modal_contrastive")
    rows = []
    for precision in (torch.float32, torch.bfloat16):
        net = network()
        net.precision = precision
        run = run_of(data, method, STILL, net)
        train_jointly(run, data, method, note)
        rows.append(run.rows[0])
        assert {value.dtype for value in net.state_dict().values()} == {torch.float32}
    assert rows[0] == pytest.approx(rows[1], rel=0.05, abs=0.01)
    assert rows[0] != rows[1]


# as a backbone


@pytest.mark.parametrize("domain", ["source", "target"])
def test_a_stream_with_one_domains_statistics_is_a_plain_network(domain: Domain) -> None:
    rgb, flow = (I3D(channels, width=0.05) for channels in (3, 2))
    net = TwoStream(rgb, flow, dim=rgb.dim, classes=3, seed=0)
    for module in net.modules():
        if isinstance(module, DomainNorm):
            module.target.add_(0.5)
    plain = I3D(3, width=0.05).eval()
    plain.load_state_dict(with_one_domain(rgb.state_dict(), domain), strict=True)
    clips = torch.rand(2, 3, LENGTH, SIZE, SIZE)
    seen, _ = net.features(clips, clips[:, :2], domain, own=False)
    torch.testing.assert_close(plain(clips), seen)
