"""Every method of stage `finetune`, by the tests that quick ones run for a few."""

from pathlib import Path
from typing import get_args

import pytest
import test_finetune as quick

from pipeline.joint import JOINT_METHODS
from pipeline.methods import METHODS
from pipeline.params import Finetune

NAMES = get_args(Finetune.model_fields["method"].annotation)


def test_every_method_is_one_of_joint_or_of_adapt() -> None:
    assert set(NAMES) <= JOINT_METHODS.keys() | METHODS.keys()


@pytest.mark.parametrize("name", [name for name in NAMES if name in JOINT_METHODS])
def test_losses_are_those_of_stored_features_and_training_runs(name: str, tmp_path: Path) -> None:
    quick.test_with_a_still_backbone_the_first_step_has_the_losses_of_stored_features(
        name, tmp_path / "still"
    )
    quick.test_a_method_takes_its_steps_and_teaches_the_backbones(name, tmp_path / "moving")
