"""Training on frames that is killed and goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from films_cached import (
    MOVING,
    STILL,
    both,
    joint,
    note,
    run_of,
    source_free,
    source_free_run,
    weights,
)

from pipeline.errors import UserError
from pipeline.finetune import saved
from pipeline.finetune.network import TwoStream
from pipeline.finetune.run import Run
from pipeline.finetune.training import AfterEpoch, Both, adapt, train_jointly
from pipeline.methods import METHODS
from pipeline.staging import Staging


class KilledError(Exception):
    """Stands for the end of a process."""


@pytest.mark.parametrize("name", ["cross_modal_contrastive", "cleanadapt_teacher"])
def test_a_resumed_run_ends_in_the_same_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    data, staging = both(tmp_path), Staging("finetune", "lab-yard")
    staging.folder.mkdir(parents=True)

    def keep(run: Run, result: Callable[[], TwoStream], row: dict[str, float]) -> None:
        run.rows.append(row)
        saved.save(run, staging, "abc")
        if run.epoch == 1 and killed:
            raise KilledError

    killed = False
    whole, rows = trained(name, data, keep)
    staging.prune(keep=())
    killed = True
    with pytest.raises(KilledError):
        trained(name, data, keep)
    again, resumed = trained(name, data, keep, staging)
    assert weights(again).equal(weights(whole))
    assert [list(row.items()) for row in resumed] == [list(row.items()) for row in rows]


def trained(
    name: str, data: Both, after: AfterEpoch, staging: Staging | None = None
) -> tuple[TwoStream, list[dict[str, float]]]:
    """The end of a run, which may have been saved; and its log."""
    run = source_free_run(data) if name in METHODS else run_of(data, joint(name), MOVING)
    if staging:
        saved.resume(run, staging, "abc")
        assert run.epoch == 1
    if name in METHODS:
        return adapt(run, data.target, source_free(name), after), run.rows
    return train_jointly(run, data, joint(name), after), run.rows


def test_a_saved_run_of_another_network_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    data, staging = both(tmp_path), Staging("finetune", "lab-yard")
    run = run_of(data, joint("source_only_late"), STILL)
    train_jointly(run, data, joint("source_only_late"), note)
    saved.save(run, staging, "abc")
    with pytest.raises(UserError, match="not a run of this network"):
        saved.resume(run_of(data, joint("mm_sada"), STILL), staging, "abc")
