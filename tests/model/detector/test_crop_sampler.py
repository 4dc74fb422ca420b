import numpy as np
import pytest
import torch

from model.alignment import align, chip_template
from model.detector.crop_sampler import CropSampler
from model.detector.layout import CROP_SIZE
from tests.support.pictures import draw_spots, spot_centre

ROTATION = 2.5 * np.array([[0.8, -0.6], [0.6, 0.8]])  # by 37 degrees, enlarged
SHIFT = np.array([40.0, 5.0])


def to_photo(points: np.ndarray) -> np.ndarray:
    """Maps points of the crop (N, 2) to a photo in which the face is rotated and large."""
    return np.asarray(points @ ROTATION.T + SHIFT)


@pytest.fixture
def sampler() -> CropSampler:
    return CropSampler()


@pytest.fixture
def landmarks() -> torch.Tensor:
    return torch.from_numpy(to_photo(chip_template(CROP_SIZE))).float().flatten()[None]


def crop(sampler: CropSampler, photo: np.ndarray, landmarks: torch.Tensor) -> np.ndarray:
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float()
    return np.asarray(sampler(pixels, landmarks)[0].permute(1, 2, 0).round().byte())


def test_the_crop_has_the_landmarks_on_the_template(sampler: CropSampler, landmarks: torch.Tensor) -> None:
    image = crop(sampler, draw_spots(landmarks.view(5, 2).numpy(), 160, radius=5), landmarks)
    assert image.shape == (CROP_SIZE, CROP_SIZE, 3)
    for x, y in chip_template(CROP_SIZE):
        np.testing.assert_allclose(spot_centre(image, x, y, reach=5), (x, y), atol=0.3)


def test_the_crop_is_that_of_align(sampler: CropSampler, landmarks: torch.Tensor) -> None:
    landmarks = landmarks + torch.tensor([60.0, 60.0] * 5)  # the crop lies inside the photo
    photo = draw_spots(landmarks.view(5, 2).numpy() + 3, 280, radius=9)  # not on the template, and smooth
    aligned = align(photo, landmarks.view(5, 2).numpy(), chip_template(CROP_SIZE), CROP_SIZE)
    assert np.abs(crop(sampler, photo, landmarks).astype(float) - aligned).max() < 8


def test_the_crop_is_black_outside_the_photo(sampler: CropSampler, landmarks: torch.Tensor) -> None:
    assert crop(sampler, np.full((160, 160, 3), 200, np.uint8), landmarks + 1000).max() == 0


def test_each_photo_of_a_batch_has_its_own_landmarks(sampler: CropSampler, landmarks: torch.Tensor) -> None:
    pixels = 255 * torch.rand(2, 3, 160, 160)
    both = sampler(pixels, torch.cat([landmarks, landmarks + 7]))
    torch.testing.assert_close(both[1:], sampler(pixels[1:], landmarks + 7))


def test_to_photo_maps_offsets_in_the_crop_to_the_photo(sampler: CropSampler, landmarks: torch.Tensor) -> None:
    offsets = np.array([[1.0, -2], [0, 3], [0.5, 0], [0, 0], [-4, 1]])
    found = sampler.to_photo(torch.from_numpy(offsets).float().flatten()[None], landmarks)
    np.testing.assert_allclose(found.view(5, 2), to_photo(chip_template(CROP_SIZE) + offsets), atol=1e-3)
