import pytest
import torch

from model.detector.finder import FaceFinder
from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator
from tests.support.networks import make_locator
from tests.support.pictures import random_photos


@pytest.fixture
def finder() -> FaceFinder:
    refiner = LandmarkRefiner(0.25)
    torch.nn.init.normal_(refiner.last.weight, std=0.1)  # an untrained one moves no landmark
    return FaceFinder(make_locator(), refiner).eval()


def test_refinement_changes_landmarks_but_not_boxes_and_scores(finder: FaceFinder) -> None:
    (located,), (found,) = finder.locator(random_photos(1), 0.0), finder(random_photos(1), 0.0)
    torch.testing.assert_close(found[:, :5], located[:, :5])
    assert len(found) > 3
    for row in range(len(found)):
        alone = finder.refiner(random_photos(1).permute(0, 3, 1, 2).float(), located[row : row + 1, 5:])
        torch.testing.assert_close(found[row : row + 1, 5:], alone, atol=1e-3, rtol=1e-4)
    assert not torch.allclose(found[:, 5:], located[:, 5:], atol=0.1)


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # exporting is what model/runtime/torchscript.py does
def test_a_photo_has_the_same_faces_alone_in_a_batch_and_scripted(finder: FaceFinder) -> None:
    together, scripted = finder(random_photos(3), 0.0), torch.jit.script(finder)(random_photos(3), 0.0)
    for row in range(3):
        (alone,) = finder(random_photos(3)[row : row + 1], 0.0)
        torch.testing.assert_close(together[row], alone, atol=1e-2, rtol=1e-3)
        torch.testing.assert_close(scripted[row], alone, atol=1e-2, rtol=1e-3)


def test_no_face_gives_an_empty_result() -> None:
    untrained = FaceFinder(FaceLocator(0.25), LandmarkRefiner(0.25)).eval()
    assert untrained(random_photos(1), 0.5)[0].shape == (0, 15)


def test_rejects_images_that_are_not_uint8(finder: FaceFinder) -> None:
    with pytest.raises(RuntimeError, match="uint8"):
        finder(random_photos(1).float(), 0.5)
