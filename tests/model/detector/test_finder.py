import pytest
import torch

from model.detector.finder import FaceFinder
from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator
from tests.model.detector.test_network import make_network, photos


@pytest.fixture
def finder() -> FaceFinder:
    refiner = LandmarkRefiner(0.25)
    torch.nn.init.normal_(refiner.last.weight, std=0.1)  # an untrained one moves nothing
    return FaceFinder(make_network(), refiner).eval()


def test_faces_keep_their_boxes_and_scores_and_get_other_landmarks(finder: FaceFinder) -> None:
    (located,), (found,) = finder.locator(photos(1), 0.0), finder(photos(1), 0.0)
    torch.testing.assert_close(found[:, :5], located[:, :5])
    assert len(found) > 3
    for row in range(len(found)):
        alone = finder.refiner(photos(1).permute(0, 3, 1, 2).float(), located[row : row + 1, 5:])
        torch.testing.assert_close(found[row : row + 1, 5:], alone, atol=1e-3, rtol=1e-4)
    assert not torch.allclose(found[:, 5:], located[:, 5:], atol=0.1)


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # exporting is what model/runtime/torchscript.py does
def test_each_photo_of_a_batch_gives_the_same_alone_and_scripted(finder: FaceFinder) -> None:
    together, scripted = finder(photos(3), 0.0), torch.jit.script(finder)(photos(3), 0.0)
    for row in range(3):
        (alone,) = finder(photos(3)[row : row + 1], 0.0)
        torch.testing.assert_close(together[row], alone, atol=1e-2, rtol=1e-3)
        torch.testing.assert_close(scripted[row], alone, atol=1e-2, rtol=1e-3)


def test_a_photo_of_nobody_and_what_is_no_photo(finder: FaceFinder) -> None:
    assert FaceFinder(FaceLocator(0.25), LandmarkRefiner(0.25)).eval()(photos(1), 0.5)[0].shape == (0, 15)
    with pytest.raises(RuntimeError, match="uint8"):
        finder(photos(1).float(), 0.5)
