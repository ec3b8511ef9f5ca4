import math

import pytest
import torch

from pipeline import calibration


def made(temperature: float, count: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (2, n, 3) of two equal models, and labels drawn at softmax(logits / temperature)."""
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(count, 3, generator=generator, dtype=torch.float64)
    drawn = (logits / temperature).softmax(dim=1).multinomial(1, generator=generator)
    return logits.expand(2, -1, -1), drawn[:, 0]


def test_probabilities_are_the_mean_over_the_seeds() -> None:
    logits = torch.tensor([[[0.0, math.log(3)]], [[0.0, 0.0]]])
    assert calibration.probabilities(logits, 1.0).tolist() == [
        pytest.approx([(1 / 4 + 1 / 2) / 2, (3 / 4 + 1 / 2) / 2])
    ]
    assert calibration.probabilities(logits[:1], 2.0)[0, 1].item() == pytest.approx(
        math.sqrt(3) / (1 + math.sqrt(3))
    )


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_drew_the_labels_is_found(true: float) -> None:
    found = calibration.fitted_temperature(*made(true))
    assert found == pytest.approx(true, rel=0.1)


def test_the_temperature_is_bounded_where_all_is_right_or_all_is_wrong() -> None:
    logits = torch.eye(3)[None] * 5
    assert calibration.fitted_temperature(logits, torch.tensor([0, 1, 2])) == 0.1
    assert calibration.fitted_temperature(logits, torch.tensor([1, 2, 0])) == 10.0
    with pytest.raises(ValueError, match="expected a label a video, found 2 for 3"):
        calibration.fitted_temperature(logits, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="found 0 for 0"):
        calibration.fitted_temperature(logits[:, :0], torch.tensor([], dtype=torch.long))


def test_the_error_that_is_left_is_measured_on_videos_that_did_not_fit_it() -> None:
    logits, labels = made(3.0)
    plain = calibration.metrics.expected_calibration_error(logits[0], labels)
    left = calibration.held_out_error(logits, labels)
    assert left is not None
    assert left < 0.03
    assert plain > 0.15
    # Even rows are right, at the 0.62 that odd rows ask for; odd ones wrong, at the even ones' 1.
    sure = torch.tensor([[[5.0, 0.0]] * 4])
    error = calibration.held_out_error(sure, torch.tensor([0, 1, 0, 1]))
    assert error == pytest.approx((1 - 1 / (1 + math.exp(-0.5)) + 1) / 2)
    assert calibration.held_out_error(sure[:, :1], torch.tensor([0])) is None
