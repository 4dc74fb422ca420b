import math

import pytest
import torch

from training.config import LossConfig
from training.encoder.losses import ContrastiveLoss


def vectors_at(*degrees: float) -> torch.Tensor:
    """Unit vectors in the plane at these angles."""
    angles = torch.tensor(degrees, dtype=torch.float64) * math.pi / 180
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def chord(degrees: float) -> float:
    return 2 * math.sin(math.radians(degrees) / 2)


def loss(margin: float = 1.0, mining: str = "all", weight: float = 1.0) -> ContrastiveLoss:
    return ContrastiveLoss(LossConfig(margin=margin, mining=mining, genuine_weight=weight))  # type: ignore[arg-type]


def test_a_genuine_pair_costs_its_squared_distance() -> None:
    value = loss()(vectors_at(0, 60), torch.tensor([0, 0]))
    assert value.item() == pytest.approx(chord(60) ** 2)


def test_an_impostor_pair_costs_its_squared_distance_to_the_margin() -> None:
    value = loss(margin=1.2)(vectors_at(0, 60), torch.tensor([0, 1]))
    assert value.item() == pytest.approx((1.2 - chord(60)) ** 2)


def test_an_impostor_pair_beyond_the_margin_costs_nothing() -> None:
    assert loss(margin=0.9)(vectors_at(0, 60), torch.tensor([0, 1])).item() == 0


def test_a_genuine_pair_within_the_genuine_margin_costs_nothing() -> None:
    config = LossConfig(margin=1.0, mining="hard", genuine_weight=1.0, genuine_margin=0.5)
    people = torch.tensor([0, 0, 0])
    assert ContrastiveLoss(config)(vectors_at(0, 20, 20), people).item() == 0
    expected = (chord(60) - 0.5) ** 2  # the mean over the two pairs beyond it
    assert ContrastiveLoss(config)(vectors_at(0, 60, 60), people).item() == pytest.approx(expected)


def test_genuine_and_impostor_pairs_are_averaged_separately() -> None:
    people = torch.tensor([0, 0, 1, 2])
    vectors = vectors_at(0, 10, 40, 50)
    impostors = [40, 50, 30, 40, 10]
    expected = chord(10) ** 2 + sum(max(0, 1 - chord(d)) ** 2 for d in impostors) / 5
    assert loss()(vectors, people).item() == pytest.approx(expected)
    assert loss(weight=3)(vectors, people).item() == pytest.approx(expected + 2 * chord(10) ** 2)


def test_hard_mining_averages_only_over_impostor_pairs_within_the_margin() -> None:
    people = torch.tensor([0, 1, 2])
    vectors = vectors_at(0, 20, 180)
    assert loss(mining="all")(vectors, people).item() == pytest.approx((1 - chord(20)) ** 2 / 3)
    assert loss(mining="hard")(vectors, people).item() == pytest.approx((1 - chord(20)) ** 2)


def test_a_batch_with_only_genuine_pairs_has_a_finite_gradient() -> None:
    vectors = vectors_at(0, 0).requires_grad_()
    value = loss(mining="hard")(vectors, torch.tensor([0, 0]))
    value.backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()
