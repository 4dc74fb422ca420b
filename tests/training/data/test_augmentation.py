from dataclasses import replace

import torch

from training.config import AugmentationConfig
from training.data.augmentation import augment

NOTHING = AugmentationConfig(rotation=0, scale=0, shift=0, brightness=0, contrast=0, grey=0, blur=0, erase=0)
EVERYTHING = AugmentationConfig(
    rotation=20,
    scale=0.2,
    shift=0.1,
    brightness=0.3,
    contrast=0.3,
    grey=0.5,
    blur=0.5,
    erase=1,
    low=6,
    jpeg=0.5,
    dark=0.5,
    borders=0.5,
    glasses=0.5,
)
WHITE = torch.full((8, 48, 48, 3), 200, dtype=torch.uint8)


def random_crops(count: int = 4) -> torch.Tensor:
    return torch.randint(0, 256, (count, 48, 48, 3), dtype=torch.uint8, generator=generator())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_augmentation_a_crop_or_its_mirror_image_remains() -> None:
    plain = random_crops()[:, 8:-8, 8:-8].permute(0, 3, 1, 2).float()
    done = augment(random_crops(), 32, NOTHING, generator())
    for augmented, crop in zip(done, plain, strict=True):
        assert torch.allclose(augmented, crop, atol=0.01) or torch.allclose(augmented, crop.flip(2), atol=0.01)


def test_each_crop_is_augmented_differently_to_levels_of_the_given_size() -> None:
    same = random_crops(1).expand(16, -1, -1, -1)
    done = augment(same, 32, EVERYTHING, generator())
    assert done.shape == (16, 3, 32, 32)
    assert done.min() >= 0
    assert done.max() <= 255
    assert len({round(float(each.mean()), 3) for each in done}) == 16


def test_the_result_depends_on_the_generator_alone() -> None:
    first, second = (
        augment(random_crops(), 32, EVERYTHING, generator(1)),
        augment(random_crops(), 32, EVERYTHING, generator(1)),
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(random_crops(), 32, EVERYTHING, generator(2)))


def test_without_mirroring_every_crop_keeps_its_side() -> None:
    done = augment(random_crops(16), 32, replace(NOTHING, mirror=0.0), generator())
    plain = random_crops(16)[:, 8:-8, 8:-8].permute(0, 3, 1, 2).float()
    torch.testing.assert_close(done, plain, atol=0.01, rtol=0)


def test_shearing_slants_an_upright_bar() -> None:
    bar = torch.zeros((8, 48, 48, 3), dtype=torch.uint8)
    bar[:, :, 23:25] = 255
    done = augment(bar, 32, replace(NOTHING, mirror=0.0, shear=0.4), generator())[:, 0]
    tops, bottoms = done[:, 2].argmax(dim=1), done[:, 29].argmax(dim=1)
    assert ((tops - bottoms).abs() >= 2).sum() >= 4
    assert (done[:, 15:17].amax(dim=(1, 2)) > 100).all()  # the middle stays


def test_sunglasses_cover_only_the_eyes() -> None:
    done = augment(WHITE, 32, replace(NOTHING, glasses=1.0), generator())
    eyes = done[:, :, 10, [10, 21]]
    assert (eyes <= 60).all()
    torch.testing.assert_close(done[:, :, 16:], torch.full_like(done[:, :, 16:], 200))


def test_borders_are_black_and_the_middle_is_unchanged() -> None:
    done = augment(WHITE, 32, replace(NOTHING, borders=1.0), generator())
    assert (done[:, :, :, 0] == 0).all(dim=(1, 2)).sum() >= 4  # some borders are thinner than a pixel
    torch.testing.assert_close(done[:, :, 7:25, 7:25], torch.full((8, 3, 18, 18), 200.0))


def test_darkening_leaves_at_most_half_of_the_light() -> None:
    done = augment(WHITE, 32, replace(NOTHING, dark=1.0), generator())
    assert (done.mean(dim=(1, 2, 3)) < 105).all()
    assert (done.std(dim=(1, 2, 3)) > 0.01).all()


def test_compression_changes_a_crop_a_little() -> None:
    plain, done = (
        augment(random_crops(8), 32, replace(NOTHING, jpeg=probability), generator()) for probability in (0.0, 1.0)
    )
    difference = (plain - done).abs().mean(dim=(1, 2, 3))
    assert (difference > 1).all()
    assert (difference < 60).all()
    assert (augment(WHITE, 32, replace(NOTHING, jpeg=1.0), generator()) - 200).abs().max() <= 3


def test_a_lower_resolution_leaves_less_detail() -> None:
    fine, coarse = (
        augment(random_crops(8), 32, replace(NOTHING, blur=1.0, low=low), generator()).std(dim=(2, 3)).mean()
        for low in (2, 3)
    )
    assert coarse < fine
