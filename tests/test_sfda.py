import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from one_run import adapt, pretrain
from torch import Tensor
from two_domains import two_domains

from pipeline.descent import Settings
from pipeline.features import Features
from pipeline.methods import Batch, Memory, Weights
from pipeline.methods.sfda import Sfda, prototype_share
from pipeline.model import Model
from pipeline.network import RelationNetwork
from pipeline.noise import Noise
from pipeline.prediction import predict

METHOD = Sfda(Weights())
SOURCE, TARGET = two_domains(seed=0, videos=(60, 60), shift=1.5)


@pytest.fixture(scope="module")
def network() -> RelationNetwork:
    fresh = RelationNetwork(TARGET.features.dim, 6, layers=1, dropout=0.0)
    settings = Settings(epochs=5, batch_size=16)
    return pretrain(fresh, SOURCE.features, SOURCE.labels, settings, 0).model


def remembered(network: RelationNetwork, features: Features) -> Memory:
    return METHOD.remember(predict(network, features), {})


def terms(network: RelationNetwork, batch: Batch, memory: Memory, progress: float) -> list[Tensor]:
    """Source and prototype loss of one step."""
    weights = {name: weight.detach() for name, weight in network.state_dict().items()}
    extra = METHOD.extras(network, TARGET.features.clips, 0)["source_classifier"].module
    model = Model(
        network,
        weights,
        Noise(torch.tensor(0), torch.device("cpu")),
        modules={"source_classifier": extra},
        extras={"source_classifier": dict(extra.state_dict())},
        state=METHOD.begin(predict(network, TARGET.features), TARGET.features, weights),
        progress=progress,
    )
    return list(METHOD.losses(model, TARGET.features, batch, memory).values())


def batch_of(*videos: int) -> Batch:
    high, low = torch.tensor(videos).chunk(2)
    return Batch(high, low, torch.zeros(len(high)))


def test_the_share_of_prototype_labels_rises_from_0_to_1() -> None:
    shares = [prototype_share(step / 20) for step in range(21)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[5] == pytest.approx(2 / (1 + math.exp(-5)) - 1)
    assert shares[20] == pytest.approx(1, abs=1e-8)


def test_losses_are_cross_entropies_with_source_labels_and_accepted_prototype_labels(
    network: RelationNetwork,
) -> None:
    memory, batch = remembered(network, TARGET.features), batch_of(*range(20))
    logits = predict(network, TARGET.features).logits[:20]
    accepted = memory.notes["accepted"][:20].tolist()
    assert 0 < sum(accepted) < 20
    by_source = F.cross_entropy(logits, logits.argmax(dim=1))  # the classifiers begin alike
    surprises = F.cross_entropy(logits, memory.pseudo_labels[:20], reduction="none").tolist()
    by_prototypes = sum(s for s, sure in zip(surprises, accepted, strict=True) if sure) / 20
    for progress in (0.0, 0.1, 0.9):
        share = prototype_share(progress)
        got = [loss.item() for loss in terms(network, batch, memory, progress)]
        expected = [(1 - share) * by_source.item(), share * by_prototypes]
        assert got == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_both_classifiers_begin_as_the_source_models_and_the_source_model_stays(
    network: RelationNetwork,
) -> None:
    extra = METHOD.extras(network, TARGET.features.clips, 0)["source_classifier"]
    before = network.classifier.weight.detach().clone()
    assert isinstance(extra.module, torch.nn.Linear)
    assert torch.equal(extra.module.weight, before)
    with torch.no_grad():
        extra.module.weight.zero_()
    assert torch.equal(network.classifier.weight, before)


def test_everything_is_trained_the_classifier_too(network: RelationNetwork) -> None:
    settings = Settings(epochs=2, batch_size=16, lr=1e-3)
    after = adapt(network, TARGET.features, METHOD, settings, seed=0).model.state_dict()
    assert not [key for key, w in network.named_parameters() if torch.equal(w, after[key])]


def test_source_labels_stay_while_prototype_labels_are_made_anew(network: RelationNetwork) -> None:
    said = predict(network, TARGET.features)
    state = METHOD.begin(said, TARGET.features, {})
    assert torch.equal(state["source_labels"], said.logits.argmax(dim=1))
    turned = said._replace(logits=said.logits.roll(1, dims=1))
    before, after = (METHOD.remember(output, state).pseudo_labels for output in (said, turned))
    assert torch.equal(after, (before + 1) % 6)


def test_the_descent_is_the_papers_but_for_rate_epochs_and_batch() -> None:
    given = Settings(epochs=7, lr=0.02, batch_size=16)
    assert METHOD.settings(given) == replace(
        given, nesterov=True, weight_decay=5e-4, schedule="decay"
    )
