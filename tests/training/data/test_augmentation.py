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


def crops(count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 48, 48, 3), dtype=torch.uint8, generator=generator)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_doing_nothing_gives_the_plain_crop_or_its_mirror_image() -> None:
    plain = crops()[:, 8:-8, 8:-8].permute(0, 3, 1, 2).float()
    done = augment(crops(), 32, NOTHING, seeded())
    for mine, theirs in zip(done, plain, strict=True):
        assert torch.allclose(mine, theirs, atol=0.01) or torch.allclose(mine, theirs.flip(2), atol=0.01)


def test_gives_levels_of_the_asked_size_each_photo_in_its_own_way() -> None:
    same = crops(1).expand(16, -1, -1, -1)
    done = augment(same, 32, EVERYTHING, seeded())
    assert done.shape == (16, 3, 32, 32)
    assert done.min() >= 0
    assert done.max() <= 255
    assert len({round(float(each.mean()), 3) for each in done}) == 16


def test_depends_on_the_generator_alone() -> None:
    first, second = augment(crops(), 32, EVERYTHING, seeded(1)), augment(crops(), 32, EVERYTHING, seeded(1))
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(crops(), 32, EVERYTHING, seeded(2)))


def test_without_mirror_images_every_photo_keeps_its_side() -> None:
    done = augment(crops(16), 32, replace(NOTHING, mirror=0.0), seeded())
    plain = crops(16)[:, 8:-8, 8:-8].permute(0, 3, 1, 2).float()
    torch.testing.assert_close(done, plain, atol=0.01, rtol=0)


def test_shearing_slants_what_was_upright() -> None:
    bar = torch.zeros((8, 48, 48, 3), dtype=torch.uint8)
    bar[:, :, 23:25] = 255
    done = augment(bar, 32, replace(NOTHING, mirror=0.0, shear=0.4), seeded())[:, 0]
    tops, bottoms = done[:, 2].argmax(dim=1), done[:, 29].argmax(dim=1)
    assert ((tops - bottoms).abs() >= 2).sum() >= 4
    assert (done[:, 15:17].amax(dim=(1, 2)) > 100).all()  # about the middle


def test_glasses_cover_the_eyes_and_nothing_else() -> None:
    done = augment(WHITE, 32, replace(NOTHING, glasses=1.0), seeded())
    eyes = done[:, :, 10, [10, 21]]
    assert (eyes <= 60).all()
    torch.testing.assert_close(done[:, :, 16:], torch.full_like(done[:, :, 16:], 200))


def test_a_tight_crop_is_black_at_its_sides_alone() -> None:
    done = augment(WHITE, 32, replace(NOTHING, borders=1.0), seeded())
    assert (done[:, :, :, 0] == 0).all(dim=(1, 2)).sum() >= 4  # the least of the cuts are thinner than a pixel
    torch.testing.assert_close(done[:, :, 7:25, 7:25], torch.full((8, 3, 18, 18), 200.0))


def test_darkness_leaves_half_of_the_light_at_most() -> None:
    done = augment(WHITE, 32, replace(NOTHING, dark=1.0), seeded())
    assert (done.mean(dim=(1, 2, 3)) < 105).all()
    assert (done.std(dim=(1, 2, 3)) > 0.01).all()


def test_compression_changes_a_photo_a_little() -> None:
    plain, done = (augment(crops(8), 32, replace(NOTHING, jpeg=chance), seeded()) for chance in (0.0, 1.0))
    difference = (plain - done).abs().mean(dim=(1, 2, 3))
    assert (difference > 1).all()
    assert (difference < 60).all()
    assert (augment(WHITE, 32, replace(NOTHING, jpeg=1.0), seeded()) - 200).abs().max() <= 3


def test_a_stronger_reduction_leaves_less_detail() -> None:
    fine, coarse = (
        augment(crops(8), 32, replace(NOTHING, blur=1.0, low=low), seeded()).std(dim=(2, 3)).mean() for low in (2, 3)
    )
    assert coarse < fine
