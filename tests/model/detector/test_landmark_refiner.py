import numpy as np
import pytest
import torch

from model.alignment import chip_template
from model.detector.landmark_refiner import CROP_SIZE, LandmarkRefiner
from tests.support.pictures import draw_spots, spot_centre

ROTATION = 2.5 * np.array([[0.8, -0.6], [0.6, 0.8]])  # by 37 degrees, enlarged
SHIFT = np.array([40.0, 5.0])


def to_photo(points: np.ndarray) -> np.ndarray:
    """Maps points of the crop (N, 2) to a photo in which the face is rotated and large."""
    return np.asarray(points @ ROTATION.T + SHIFT)


@pytest.fixture
def refiner() -> LandmarkRefiner:
    torch.manual_seed(0)
    return LandmarkRefiner(0.25).eval()


@pytest.fixture
def landmarks() -> torch.Tensor:
    return torch.from_numpy(to_photo(chip_template(CROP_SIZE))).float().flatten()[None]


def test_crop_faces_maps_the_landmarks_to_the_template(refiner: LandmarkRefiner, landmarks: torch.Tensor) -> None:
    photo = draw_spots(landmarks.view(5, 2).numpy(), 160, radius=5)
    crop = refiner.crop_faces(torch.from_numpy(photo).permute(2, 0, 1)[None].float(), landmarks)[0]
    image = crop.permute(1, 2, 0).round().byte().numpy()
    assert image.shape == (CROP_SIZE, CROP_SIZE, 3)
    for x, y in chip_template(CROP_SIZE):
        np.testing.assert_allclose(spot_centre(image, x, y, reach=5), (x, y), atol=0.3)


def test_an_untrained_refiner_keeps_the_landmarks(refiner: LandmarkRefiner, landmarks: torch.Tensor) -> None:
    photo = torch.full((1, 3, 160, 160), 60.0)
    torch.testing.assert_close(refiner(photo, landmarks), landmarks, atol=1e-3, rtol=0)


def test_to_photo_maps_offsets_in_the_crop_to_the_photo(refiner: LandmarkRefiner, landmarks: torch.Tensor) -> None:
    offsets = np.array([[1.0, -2], [0, 3], [0.5, 0], [0, 0], [-4, 1]])
    found = refiner.to_photo(torch.from_numpy(offsets).float().flatten()[None], landmarks)
    np.testing.assert_allclose(found.view(5, 2), to_photo(chip_template(CROP_SIZE) + offsets), atol=1e-3)
