import math

import pytest
import torch

from training.config import LossConfig
from training.encoder.losses import ContrastiveLoss


def at(*degrees: float) -> torch.Tensor:
    """Unit vectors in the plane at these angles."""
    angles = torch.tensor(degrees, dtype=torch.float64) * math.pi / 180
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def chord(degrees: float) -> float:
    return 2 * math.sin(math.radians(degrees) / 2)


def loss(margin: float = 1.0, mining: str = "all", weight: float = 1.0) -> ContrastiveLoss:
    return ContrastiveLoss(LossConfig(margin=margin, mining=mining, genuine_weight=weight))  # type: ignore[arg-type]


def test_a_genuine_pair_costs_its_squared_distance() -> None:
    value = loss()(at(0, 60), torch.tensor([0, 0]))
    assert value.item() == pytest.approx(chord(60) ** 2)


def test_an_impostor_pair_costs_what_it_lacks_to_the_margin_squared() -> None:
    value = loss(margin=1.2)(at(0, 60), torch.tensor([0, 1]))
    assert value.item() == pytest.approx((1.2 - chord(60)) ** 2)


def test_an_impostor_pair_beyond_the_margin_costs_nothing() -> None:
    assert loss(margin=0.9)(at(0, 60), torch.tensor([0, 1])).item() == 0


def test_a_genuine_pair_nearer_than_its_own_margin_costs_nothing() -> None:
    config = LossConfig(margin=1.0, mining="hard", genuine_weight=1.0, genuine_margin=0.5)
    people = torch.tensor([0, 0, 0])
    assert ContrastiveLoss(config)(at(0, 20, 20), people).item() == 0
    expected = (chord(60) - 0.5) ** 2  # the mean over the two that are too far apart
    assert ContrastiveLoss(config)(at(0, 60, 60), people).item() == pytest.approx(expected)


def test_each_kind_is_averaged_by_itself() -> None:
    people = torch.tensor([0, 0, 1, 2])
    vectors = at(0, 10, 40, 50)
    impostors = [40, 50, 30, 40, 10]
    expected = chord(10) ** 2 + sum(max(0, 1 - chord(d)) ** 2 for d in impostors) / 5
    assert loss()(vectors, people).item() == pytest.approx(expected)
    assert loss(weight=3)(vectors, people).item() == pytest.approx(expected + 2 * chord(10) ** 2)


def test_hard_mining_averages_over_impostors_inside_the_margin_alone() -> None:
    people = torch.tensor([0, 1, 2])
    vectors = at(0, 20, 180)
    assert loss(mining="all")(vectors, people).item() == pytest.approx((1 - chord(20)) ** 2 / 3)
    assert loss(mining="hard")(vectors, people).item() == pytest.approx((1 - chord(20)) ** 2)


def test_a_batch_of_one_kind_only_is_no_error_and_has_a_gradient() -> None:
    vectors = at(0, 0).requires_grad_()
    value = loss(mining="hard")(vectors, torch.tensor([0, 0]))
    value.backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()
