import pytest
import torch

from model.detector.close_look import NEAR
from model.detector.face_refiner import FaceRefiner
from model.detector.finder import FaceFinder
from model.detector.layout import CLOSE_SIZE, CROP_SIZE
from model.detector.yunet import STRIDES, YuNet, decode_map, to_nchw
from model.face import MIRRORED_ORDER
from model.runtime.torchscript import script
from tests.support.networks import make_finder
from tests.support.pictures import random_photos


@pytest.fixture
def finder() -> FaceFinder:
    return make_finder()


def random_crops(count: int) -> torch.Tensor:
    return random_photos(count, CROP_SIZE, CROP_SIZE)


def test_candidates_are_the_faces_of_yunet(finder: FaceFinder) -> None:
    (expected,), (found,) = finder.yunet(random_photos(1), 0.4), finder(random_photos(1), 0.4)
    assert len(found) > 3
    torch.testing.assert_close(found, expected)


def test_glance_refines_the_landmarks_of_each_candidate_alone(finder: FaceFinder) -> None:
    landmarks = finder(random_photos(1), 0.0)[0][:4, 5:]
    together = finder.glance(random_photos(1), landmarks)
    assert together.shape == (4, 11)
    assert not torch.allclose(together[:, :10], landmarks, atol=0.1)
    for row in range(4):
        alone = finder.glance(random_photos(1), landmarks[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-3, rtol=1e-4)


def test_an_untrained_refiner_leaves_the_landmarks_where_they_are_at_a_glance() -> None:
    finder = FaceFinder(YuNet(), FaceRefiner(0.25)).eval()
    landmarks = torch.tensor([[30.0, 30, 60, 32, 44, 50, 31, 62, 58, 63]])
    # The glance returns the similarity's fit to the landmarks, so they must have the shape of the template.
    landmarks = finder.sampler.to_photo(torch.zeros(1, 10), landmarks)
    torch.testing.assert_close(finder.glance(random_photos(1), landmarks)[:, :10], landmarks, atol=1e-3, rtol=0)


def test_refine_gives_mirrored_offsets_for_a_mirrored_crop(finder: FaceFinder) -> None:
    crops = random_crops(3)
    values, mirrored = finder.refine(crops), finder.refine(crops.flip(2))
    offsets = values[:, :10].view(3, 5, 2)[:, list(MIRRORED_ORDER)] * torch.tensor([-1.0, 1.0])
    assert offsets.abs().max() > 0.1
    torch.testing.assert_close(mirrored[:, :10].view(3, 5, 2), offsets, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mirrored[:, 10], values[:, 10], atol=1e-4, rtol=1e-4)


def test_refine_is_the_mean_of_crop_and_mirror_image(finder: FaceFinder) -> None:
    crops = random_crops(2)
    plain, mirrored = finder.refiner(to_nchw(crops)), finder.refiner(to_nchw(crops.flip(2)))
    torch.testing.assert_close(finder.refine(crops)[:, 10], (plain + mirrored)[:, 10] / 2, atol=1e-4, rtol=1e-4)


def test_the_close_look_is_the_logit_of_the_best_score_in_the_middle_of_the_crop(finder: FaceFinder) -> None:
    crops = random_photos(2, CLOSE_SIZE, CLOSE_SIZE)
    centre = finder.close_look.template.mean(dim=0)
    expected = []
    for images in (crops, crops.flip(2)):
        best = []
        for each in range(2):
            parts = [
                decode_map(values[each], stride, 0.0)
                for values, stride in zip(finder.yunet.maps(to_nchw(images)), STRIDES, strict=True)
            ]
            faces = torch.cat(parts)
            near = (faces[:, 5:].view(-1, 5, 2).mean(dim=1) - centre).norm(dim=1) < NEAR * CLOSE_SIZE
            best.append(faces[near, 4].max().logit())
        expected.append(torch.stack(best))
    torch.testing.assert_close(finder.look_closely(crops), (expected[0] + expected[1]) / 2, atol=1e-3, rtol=1e-4)


def test_scripted_equals_eager(finder: FaceFinder) -> None:
    scripted = script(finder)
    (expected,), (found,) = finder(random_photos(1), 0.0), scripted(random_photos(1), 0.0)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)
    glances = [each.glance(random_photos(1), expected[:4, 5:]) for each in (finder, scripted)]
    torch.testing.assert_close(glances[1], glances[0], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(scripted.refine(random_crops(2)), finder.refine(random_crops(2)), atol=1e-4, rtol=1e-4)
    close = random_photos(2, CLOSE_SIZE, CLOSE_SIZE)
    torch.testing.assert_close(scripted.look_closely(close), finder.look_closely(close), atol=1e-3, rtol=1e-4)


def test_no_candidate_gives_an_empty_result(finder: FaceFinder) -> None:
    assert finder(random_photos(1), 1.1)[0].shape == (0, 15)


def test_rejects_images_and_crops_that_are_not_uint8(finder: FaceFinder) -> None:
    with pytest.raises(RuntimeError, match="uint8"):
        finder(random_photos(1).float(), 0.5)
    with pytest.raises(RuntimeError, match="uint8"):
        finder.refine(random_crops(1).float())
