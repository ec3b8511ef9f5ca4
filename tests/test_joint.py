"""Methods that see the source: what holds of all of them, of their network and their batches."""

import inspect
import math
from collections.abc import Iterator
from functools import cache

import pytest
import torch
from torch import Tensor
from two_sided import CLASSES, DATA, data_of, fitted, in_a_step, network, network_of, score, terms

from pipeline.descent import Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.joint import JOINT_METHODS, JointBatch, JointData, JointMethod, JointWeights
from pipeline.joint import __main__ as listing
from pipeline.joint.batches import joint_batches
from pipeline.joint.late_fusion import classify, with_statistics
from pipeline.joint.shape import JointNetwork
from pipeline.joint.training import fit, predict
from pipeline.joint.windows import WindowedFeatures, drawn, drawn_alike, of_windows, seen
from pipeline.methods import METHODS
from pipeline.noise import Noise

SHORT = Settings(epochs=10, batch_size=64)


def weights(model: JointNetwork) -> Tensor:
    return torch.cat([weight.flatten() for weight in model.state_dict().values()])


@cache
def source_only_score() -> float:
    return score(fitted(JOINT_METHODS["source_only_late"](JointWeights()), SHORT).model)


# Every method

COLLAPSE = {"contrastive_as_published"}  # where the source model is as poor as here; see its file


@pytest.mark.parametrize("name", JOINT_METHODS)
def test_a_method_stays_finite_and_keeps_what_the_source_teaches(name: str) -> None:
    run = fitted(JOINT_METHODS[name](JointWeights()), SHORT)
    assert [row["epoch"] for row in run.rows] == list(range(1, 11))
    assert all(math.isfinite(value) for row in run.rows for value in row.values())
    assert run.rows[-1]["cross_entropy"] < run.rows[0]["cross_entropy"]
    if name not in COLLAPSE:
        assert score(run.model) > source_only_score() - 0.05


def test_the_source_beats_chance_and_labels_of_the_target_beat_the_source() -> None:
    bound = score(fitted(JOINT_METHODS["target_supervised"](JointWeights()), SHORT).model)
    assert 2 / CLASSES < source_only_score() < 0.9
    assert bound > source_only_score() + 0.05


@pytest.mark.parametrize("name", JOINT_METHODS)
def test_losses_depend_on_their_arguments_alone(name: str) -> None:
    method = JOINT_METHODS[name](JointWeights())
    start = network_of(method)
    one, other = terms(method, start), terms(method, start)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[term], other[term]) for term in one)
    assert all(value.shape == () for value in one.values())


@pytest.mark.parametrize("name", JOINT_METHODS)
def test_a_seed_beside_others_gives_what_it_gives_alone(name: str) -> None:
    method = JOINT_METHODS[name](JointWeights())
    settings = Settings(epochs=1, batch_size=32)
    starts = {seed: network_of(method, seed) for seed in (3, 1)}
    data = data_of(method)
    together = fit(starts, data, method, settings)
    assert list(together) == [3, 1]
    for seed, start in starts.items():
        alone = fit({seed: start}, data, method, settings)[seed]
        torch.testing.assert_close(
            weights(together[seed].model), weights(alone.model), rtol=1e-3, atol=1e-4
        )
        for row, same in zip(together[seed].rows, alone.rows, strict=True):
            assert row == pytest.approx(same, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", JOINT_METHODS)
def test_before_the_warm_up_is_over_the_source_counts_alone(name: str) -> None:
    method = JOINT_METHODS[name](JointWeights())
    start = network_of(method)
    early, later = terms(method, start, progress=0.0), terms(method, start)
    assert early.keys() == later.keys()
    assert early["cross_entropy"] == later["cross_entropy"]
    assert all(value == 0 for term, value in early.items() if not term.endswith("cross_entropy"))


@pytest.mark.parametrize("name", JOINT_METHODS)
def test_lambda_scales_what_stands_beside_the_cross_entropy(name: str) -> None:
    one, two = (
        terms(method, network_of(method))
        for method in (JOINT_METHODS[name](JointWeights(lambda_=value)) for value in (0.5, 1.0))
    )
    for term in one:
        factor = 1 if term.endswith("cross_entropy") else 2
        torch.testing.assert_close(two[term], factor * one[term])


@pytest.mark.parametrize("name", JOINT_METHODS)
def test_two_videos_a_domain_are_enough(name: str) -> None:
    method = JOINT_METHODS[name](JointWeights(threshold=0.0))
    data = JointData(DATA.source.select([0, 1]), DATA.labels[:2], DATA.target.select([0, 1]))
    start = network_of(method)
    run = fit({0: start}, data, method, Settings(epochs=2, batch_size=2))[0]
    assert all(math.isfinite(value) for row in run.rows for value in row.values())


def test_one_seed_gives_one_log_and_leaves_the_global_random_numbers_alone() -> None:
    def run() -> Tensor:
        method = JOINT_METHODS["source_only_late"](JointWeights())
        return weights(fitted(method, Settings(epochs=1, batch_size=64), seed=4).model)

    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    one = run()
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one, run())


# What there is no place for


def test_no_name_stands_for_two_methods() -> None:
    assert not JOINT_METHODS.keys() & METHODS.keys()


def test_a_label_of_the_target_has_no_place() -> None:
    assert JointData.__annotations__.keys() == {"source", "labels", "target"}
    given = {
        parameter.name
        for name in ("network", "begin", "extras", "losses", "alignment", "after_step")
        for parameter in inspect.signature(getattr(JointMethod, name)).parameters.values()
    }
    assert given == {
        "self",
        "source",
        "target",
        "shape",
        "network",
        "seed",
        "model",
        "data",
        "batch",
    }


def method() -> JointMethod:
    return JOINT_METHODS["source_only_late"](JointWeights())


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (DATA._replace(labels=DATA.labels[:-1]), "labels must be 180 integers"),
        (DATA._replace(labels=DATA.labels + 1), "labels must lie in"),
        (DATA._replace(target=DATA.target.select([0])), "at least 2 target videos; found 1"),
        (
            DATA._replace(target=Features(("a", "b"), torch.ones(2, 5, 8), torch.ones(2, 5, 8))),
            "8 wide, the network expects 64",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(data: JointData, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        fit({0: network()}, data, method(), SHORT)


@pytest.mark.parametrize(
    ("name", "value"),
    [("lambda_", -1.0), ("lambda_", math.nan), ("tau", 0.0), ("tau", math.inf), ("threshold", 1.1)],
)
def test_a_weight_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{name} must be .* found {value}"):
        JointWeights(**{name: value})


# Batches


def epoch_of(sources: int, targets: int, size: int, seed: int = 0) -> Iterator[JointBatch]:
    return joint_batches(sources, targets, size, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("sources", "targets", "size"), [(40, 40, 16), (41, 7, 16), (7, 90, 16), (5, 5, 100), (2, 2, 2)]
)
def test_an_epoch_goes_through_the_source_with_batches_of_one_size(
    sources: int, targets: int, size: int
) -> None:
    batches = list(epoch_of(sources, targets, size))
    assert len({(len(b.source), len(b.target)) for b in batches}) == 1
    assert all(1 <= len(part) <= size // 2 for batch in batches for part in batch)
    assert all(len(part.unique()) == len(part) for batch in batches for part in batch)
    shown = torch.cat([batch.source for batch in batches])
    assert len(shown.unique()) == len(shown) > sources - len(batches)
    assert all(int(batch.target.max()) < targets for batch in batches)


def test_batches_follow_their_generator() -> None:
    one, same, other = (next(epoch_of(40, 30, 16, seed)) for seed in (1, 1, 2))
    assert torch.equal(one.source, same.source)
    assert torch.equal(one.target, same.target)
    assert not torch.equal(one.source, other.source)


# Windows


def noise(seed: int = 0) -> Noise:
    return Noise(torch.tensor(seed), torch.device("cpu"))


def numbered(videos: int, clips: int) -> Tensor:
    """Clips (n, T, 2) whose features are the numbers of the video and of the clip."""
    both = torch.cartesian_prod(torch.arange(videos), torch.arange(clips))
    return both.view(videos, clips, 2).float()


def test_a_window_is_three_different_clips_of_the_same_video() -> None:
    window = drawn(numbered(200, 5), noise())
    assert window.shape == (200, 3, 2)
    assert torch.equal(window[:, :, 0], torch.arange(200.0)[:, None].expand(-1, 3))
    assert all(len(clips.unique()) == 3 for clips in window[:, :, 1])
    counts = window[:, :, 1].flatten().long().bincount(minlength=5)
    assert counts.min() > 80  # 120 each are to be expected


def test_a_video_of_few_clips_is_seen_whole() -> None:
    window = drawn(numbered(10, 2), noise())
    assert torch.equal(window.sort(dim=1).values, numbered(10, 2))


def test_windows_of_the_modalities_are_independent_or_the_same() -> None:
    random, clips = noise(), numbered(200, 5)
    rgb, flow = drawn(clips, random), drawn(clips, random)
    assert not torch.equal(rgb, flow)
    rgb, flow = drawn_alike(clips, clips + 0.0, random)
    assert torch.equal(rgb, flow)


def stored(videos: int, segments: int, windows: int) -> Tensor:
    """Windows (n, T, W, 3) whose features are the numbers of video, segment and window."""
    axes = (torch.arange(count) for count in (videos, segments, windows))
    return torch.cartesian_prod(*axes).view(videos, segments, windows, 3).float()


KEYS = tuple(f"{number:03d}" for number in range(200))


def test_one_window_of_each_segment_is_seen() -> None:
    features = of_windows(KEYS, stored(200, 5, 2), stored(200, 5, 2))
    rgb, flow = seen(features, torch.tensor([7, 3]), "independent", noise())
    assert rgb.shape == flow.shape == (2, 5, 3)
    assert torch.equal(rgb[:, :, 0], torch.tensor([7.0, 3.0])[:, None].expand(-1, 5))
    assert torch.equal(rgb[:, :, 1], torch.arange(5.0).expand(2, -1))
    rgb, flow = seen(features, torch.arange(200), "independent", noise())
    assert 400 < rgb[:, :, 2].sum() < 600  # of 1000 windows half are the second
    assert 400 < (rgb != flow).any(dim=2).sum() < 600


def test_windows_of_a_segment_may_be_the_same_in_both_modalities() -> None:
    features = of_windows(KEYS, stored(200, 5, 3), stored(200, 5, 3))
    assert torch.equal(*seen(features, torch.arange(200), "same", noise()))


def test_a_single_window_a_segment_leaves_plain_features_of_which_three_are_seen() -> None:
    features = of_windows(KEYS, stored(200, 5, 1), stored(200, 5, 1))
    assert type(features) is Features
    assert torch.equal(features.rgb, stored(200, 5, 1).squeeze(2))
    assert seen(features, torch.arange(9), "independent", noise())[0].shape == (9, 3, 3)
    whole, _ = seen(features, torch.arange(9), "whole", noise())
    assert torch.equal(whole, features.rgb[:9])


def test_predictions_see_the_mean_of_the_windows_and_selections_keep_them() -> None:
    windows = stored(200, 5, 2)
    features = of_windows(KEYS, windows, windows + 1)
    assert torch.equal(features.rgb, windows.mean(dim=2))
    few = features.select([4, 2]).to("cpu")
    assert isinstance(few, WindowedFeatures)
    assert few.keys == ("004", "002")
    assert torch.equal(few.flow_windows, windows[[4, 2]] + 1)


@pytest.mark.parametrize("name", ["cross_modal_contrastive", "ta3n"])
def test_a_run_on_windows_is_another_run_than_on_their_means(name: str) -> None:
    method = JOINT_METHODS[name](JointWeights())
    rgb, flow = DATA.source.rgb, DATA.source.flow
    windows = (torch.stack([part, part + 1], dim=2) for part in (rgb, flow))
    source = of_windows(DATA.source.keys, *windows)
    settings = Settings(epochs=1, batch_size=64)
    runs = [
        fit({0: network_of(method)}, DATA._replace(source=each), method, settings)[0]
        for each in (source, Features(source.keys, source.rgb, source.flow))
    ]
    assert not torch.equal(*(weights(run.model) for run in runs))


# The network


def test_logits_are_the_mean_of_the_streams() -> None:
    start = network()
    said = predict(start, DATA.target)
    torch.testing.assert_close(said.logits, (said.rgb_logits + said.flow_logits) / 2)
    expected = start.rgb_classifier(said.rgb)
    torch.testing.assert_close(said.rgb_logits, expected.detach())
    again = classify(dict(start.state_dict()), said.rgb, said.flow)
    torch.testing.assert_close(again, said.logits)


def test_a_stream_reads_its_modality_alone() -> None:
    said = predict(network(), DATA.target)
    changed = Features(DATA.target.keys, DATA.target.rgb, DATA.target.flow + 1)
    other = predict(network(), changed)
    assert torch.equal(said.rgb_logits, other.rgb_logits)
    assert not torch.equal(said.flow_logits, other.flow_logits)


def test_a_training_pass_is_normalised_by_its_own_statistics() -> None:
    model = in_a_step(method(), network(batch_norm=True, dropout=0.0))
    said = model(DATA.target.rgb + 3, DATA.target.flow)
    for features in (said.rgb, said.flow):
        torch.testing.assert_close(features.mean(dim=0), torch.zeros(64), atol=1e-5, rtol=0)
        variance = features.var(dim=0, unbiased=False)
        torch.testing.assert_close(variance, torch.ones(64), atol=1e-2, rtol=0)


def test_stored_statistics_are_those_of_one_pass_over_all_videos() -> None:
    start = network(batch_norm=True)
    said = predict(start, DATA.target)
    stored = with_statistics(dict(start.state_dict()), said)
    torch.testing.assert_close(stored["rgb_norm.mean"], said.rgb_pooled.mean(dim=0))
    expected = torch.nn.functional.batch_norm(said.flow_pooled, None, None, training=True)
    start.load_state_dict(stored)
    torch.testing.assert_close(predict(start, DATA.target).flow, expected, atol=1e-4, rtol=1e-4)


def test_a_network_with_batch_norm_ends_with_the_statistics_of_its_domain() -> None:
    run = fit({0: network(batch_norm=True)}, DATA, method(), Settings(epochs=1, batch_size=64))
    said = predict(run[0].model, DATA.source)
    torch.testing.assert_close(
        run[0].model.state_dict()["rgb_norm.mean"], said.rgb_pooled.mean(dim=0)
    )


def test_a_step_trains_every_weight() -> None:
    start = network(batch_norm=True)
    run = fit({0: start}, DATA, method(), Settings(epochs=1, batch_size=64))[0]
    before, after = start.state_dict(), run.model.state_dict()
    left = [name for name in before if torch.equal(before[name], after[name])]
    assert not [name for name in left if not name.endswith("key.bias")]  # softmax ignores it


def test_a_command_lists_every_method_and_how_ablations_differ(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listing.main()
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines.keys() == JOINT_METHODS.keys()
    assert "[across_domains=nothing]" in lines["contrastive_modality_only"]
    assert "[" not in lines["cross_modal_contrastive"]
    assert all(len(line.split()) > 4 for line in lines.values())
