import torch

from training.augment import augment
from training.config import AugmentationConfig

NOTHING = AugmentationConfig(rotation=0, scale=0, shift=0, brightness=0, contrast=0, grey=0, blur=0, erase=0)
EVERYTHING = AugmentationConfig(
    rotation=20, scale=0.2, shift=0.1, brightness=0.3, contrast=0.3, grey=0.5, blur=0.5, erase=1
)


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
