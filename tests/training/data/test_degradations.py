import pytest
import torch

from training.data.degradations import KINDS, degrade

SIDE = 96


def smooth_crops(count: int = 4) -> torch.Tensor:
    coarse = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(3))
    smooth = torch.nn.functional.interpolate(coarse, SIDE, mode="bicubic").clamp(0.1, 0.9)
    return (smooth * 255).byte().permute(0, 2, 3, 1).contiguous()


@pytest.mark.parametrize("kind", KINDS)
def test_a_degraded_crop_keeps_its_shape_and_depends_on_the_seed_alone(kind: str) -> None:
    crops = smooth_crops()
    first, again, other = (degrade(crops, kind, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.shape == crops.shape
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    if kind != "small":  # always of the same size
        assert not torch.equal(first, other)
    assert (first.float() - crops.float()).abs().mean() > 1


def test_a_mask_covers_the_mouth_and_leaves_the_eyes() -> None:
    crops = smooth_crops()
    masked = degrade(crops, "masked", torch.Generator().manual_seed(1))
    eyes, mouth = slice(int(0.40 * SIDE), int(0.50 * SIDE)), slice(int(0.78 * SIDE), int(0.86 * SIDE))
    assert torch.equal(masked[:, eyes], crops[:, eyes])
    middle = slice(int(0.4 * SIDE), int(0.6 * SIDE))
    assert (masked[:, mouth, middle] != crops[:, mouth, middle]).float().mean() > 0.9


def test_sunglasses_cover_the_eyes_and_leave_the_mouth() -> None:
    crops = smooth_crops()
    worn = degrade(crops, "sunglasses", torch.Generator().manual_seed(1))
    row, columns = int(0.46 * SIDE), [int(0.34 * SIDE), int(0.655 * SIDE)]
    assert (worn[:, row, columns] < 60).all()
    assert torch.equal(worn[:, int(0.75 * SIDE) :], crops[:, int(0.75 * SIDE) :])


def test_infrared_is_grey_and_darkness_takes_most_of_the_light() -> None:
    crops = smooth_crops()
    grey = degrade(crops, "infrared", torch.Generator().manual_seed(1))
    assert torch.equal(grey[..., 0], grey[..., 1])
    assert torch.equal(grey[..., 0], grey[..., 2])
    dark = degrade(crops, "dark", torch.Generator().manual_seed(1))
    assert dark.float().mean() < 0.25 * crops.float().mean()
