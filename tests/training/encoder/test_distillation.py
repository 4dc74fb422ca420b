import numpy as np
import pytest
import torch
from torch.nn import functional as F

from training.encoder.distillation import anchors

CPU = torch.device("cpu")


class CornerEncoder:
    """The vector of a crop is the colour of its top left pixel."""

    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        return F.normalize(pixels[:, :, 0, 0], dim=1)


def crop(left: tuple[int, int, int], right: tuple[int, int, int]) -> np.ndarray:
    return np.array([[left, right], [left, right]], np.uint8)


def test_an_anchor_is_the_photo_averaged_with_its_mirror_image() -> None:
    (found,) = anchors(CornerEncoder(), crop((9, 0, 0), (0, 9, 0))[None], np.array([0]), 1.0, CPU)
    torch.testing.assert_close(found, F.normalize(torch.tensor([1.0, 1.0, 0.0]), dim=0))


def test_it_is_drawn_towards_the_mean_of_its_own_person_alone() -> None:
    red, green, blue = (crop(colour, colour) for colour in ((9, 0, 0), (0, 9, 0), (0, 0, 9)))
    found = anchors(CornerEncoder(), np.stack([red, blue, green]), np.array([0, 1, 0]), 0.6, CPU)
    expected = [[0.6 + 0.2, 0.2, 0], [0, 0, 1], [0.2, 0.6 + 0.2, 0]]
    torch.testing.assert_close(found, F.normalize(torch.tensor(expected), dim=1))


@pytest.mark.parametrize("own", [0.0, 0.5, 1.0])
def test_anchors_are_unit_vectors_that_training_can_use(own: float) -> None:
    crops = np.random.default_rng(0).integers(1, 255, (300, 2, 2, 3), dtype=np.uint8)
    found = anchors(CornerEncoder(), crops, np.arange(300) % 7, own, CPU)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(300))
    weight = torch.ones(3, requires_grad=True)
    (found * weight).sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
