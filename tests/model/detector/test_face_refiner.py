import pytest
import torch

from model.detector.face_refiner import FaceRefiner
from model.detector.layout import COORDINATES, CROP_SIZE


@pytest.mark.parametrize("width", [0.25, 1.0])
def test_an_untrained_refiner_moves_no_landmark_and_does_not_decide(width: float) -> None:
    values = FaceRefiner(width).eval()(255 * torch.rand(2, 3, CROP_SIZE, CROP_SIZE))
    assert values.tolist() == [[0.0] * (COORDINATES + 1)] * 2


def test_width_scales_the_number_of_weights() -> None:
    small, large = (sum(p.numel() for p in FaceRefiner(width).parameters()) for width in (0.5, 1.0))
    assert small < large / 3


def test_each_crop_is_judged_alone() -> None:
    torch.manual_seed(0)
    refiner = FaceRefiner(0.25).eval()
    torch.nn.init.normal_(refiner.last.weight)
    crops = 255 * torch.rand(3, 3, CROP_SIZE, CROP_SIZE)
    together = refiner(crops)
    assert not torch.allclose(together[0], together[1], atol=1e-3)
    torch.testing.assert_close(together[1:2], refiner(crops[1:2]), atol=1e-4, rtol=1e-4)
