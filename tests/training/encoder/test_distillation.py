import numpy as np
import pytest
import torch
from torch.nn import functional as F

from training.encoder.distillation import compute_targets

CPU = torch.device("cpu")


class CornerEncoder:
    """The embedding of a crop is the colour of its top left pixel."""

    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        return F.normalize(pixels[:, :, 0, 0], dim=1)


def crop(left: tuple[int, int, int], right: tuple[int, int, int]) -> np.ndarray:
    return np.array([[left, right], [left, right]], np.uint8)


def test_a_target_averages_a_photo_and_its_mirror_image() -> None:
    (target,) = compute_targets(CornerEncoder(), crop((9, 0, 0), (0, 9, 0))[None], np.array([0]), 1.0, CPU)
    torch.testing.assert_close(target, F.normalize(torch.tensor([1.0, 1.0, 0.0]), dim=0))


def test_a_target_has_a_share_of_its_persons_mean_embedding() -> None:
    red, green, blue = (crop(colour, colour) for colour in ((9, 0, 0), (0, 9, 0), (0, 0, 9)))
    targets = compute_targets(CornerEncoder(), np.stack([red, blue, green]), np.array([0, 1, 0]), 0.6, CPU)
    expected = [[0.6 + 0.2, 0.2, 0], [0, 0, 1], [0.2, 0.6 + 0.2, 0]]
    torch.testing.assert_close(targets, F.normalize(torch.tensor(expected), dim=1))


@pytest.mark.parametrize("own_share", [0.0, 0.5, 1.0])
def test_targets_are_unit_vectors_that_allow_gradients(own_share: float) -> None:
    crops = np.random.default_rng(0).integers(1, 255, (300, 2, 2, 3), dtype=np.uint8)
    targets = compute_targets(CornerEncoder(), crops, np.arange(300) % 7, own_share, CPU)
    torch.testing.assert_close(targets.norm(dim=1), torch.ones(300))
    weight = torch.ones(3, requires_grad=True)
    (targets * weight).sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
