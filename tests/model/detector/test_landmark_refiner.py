import numpy as np
import pytest
import torch

from model.alignment import chip_template
from model.detector.landmark_refiner import SIDE, LandmarkRefiner
from tests.model.test_alignment import centre_near, marked

TURN = 2.5 * np.array([[0.8, -0.6], [0.6, 0.8]])  # 37 degrees, and larger
SHIFT = np.array([40.0, 5.0])


def placed(points: np.ndarray) -> np.ndarray:
    """Points of the crop (N, 2) in a photo in which the face is turned and large."""
    return np.asarray(points @ TURN.T + SHIFT)


@pytest.fixture
def refiner() -> LandmarkRefiner:
    torch.manual_seed(0)
    return LandmarkRefiner(0.25).eval()


@pytest.fixture
def landmarks() -> torch.Tensor:
    return torch.from_numpy(placed(chip_template(SIDE))).float().flatten()[None]


def test_a_face_stands_upright_in_its_crop(refiner: LandmarkRefiner, landmarks: torch.Tensor) -> None:
    photo = marked(landmarks.view(5, 2).numpy(), 160, radius=5)
    crop = refiner.crops(torch.from_numpy(photo).permute(2, 0, 1)[None].float(), landmarks)[0]
    seen = crop.permute(1, 2, 0).round().byte().numpy()
    assert seen.shape == (SIDE, SIDE, 3)
    for x, y in chip_template(SIDE):
        np.testing.assert_allclose(centre_near(seen, x, y, reach=5), (x, y), atol=0.3)


def test_landmarks_that_nothing_moves_stay_where_they_are(refiner: LandmarkRefiner, landmarks: torch.Tensor) -> None:
    photo = torch.full((1, 3, 160, 160), 60.0)
    torch.testing.assert_close(refiner(photo, landmarks), landmarks, atol=1e-3, rtol=0)


def test_what_is_off_in_the_crop_is_off_as_much_in_the_photo(refiner: LandmarkRefiner, landmarks: torch.Tensor) -> None:
    apart = np.array([[1.0, -2], [0, 3], [0.5, 0], [0, 0], [-4, 1]])
    found = refiner.back(torch.from_numpy(apart).float().flatten()[None], landmarks)
    np.testing.assert_allclose(found.view(5, 2), placed(chip_template(SIDE) + apart), atol=1e-3)
