import pytest
import torch

from model.detector.boxes import box_iou
from model.detector.network import FINEST_STRIDE, VALUES, FaceLocator, decode_maps
from tests.support.networks import make_locator
from tests.support.pictures import random_photos


@pytest.fixture
def network() -> FaceLocator:
    return make_locator()


def test_decode_maps_returns_the_face_of_each_cell() -> None:
    maps = [torch.zeros(1, VALUES, 4, 4), torch.zeros(1, VALUES, 2, 2), torch.zeros(1, VALUES, 1, 1)]
    cell = maps[1][0, :, 0, 1]  # stride 16, centre at (24, 8)
    cell[:4] = torch.tensor([1.0, 2.0, 3.0, 0.5]).log()  # distances to left, top, right and bottom, in cells
    cell[4] = 2.0
    cell[5:7] = torch.tensor([-0.5, 0.25])
    face = decode_maps(maps)[0, 16 + 1]
    torch.testing.assert_close(face[:4], torch.tensor([24 - 16, 8 - 32, 24 + 48, 8 + 8.0]))
    assert face[4].item() == pytest.approx(torch.tensor(2.0).sigmoid().item())
    torch.testing.assert_close(face[5:7], torch.tensor([24 - 8, 8 + 4.0]))


def test_the_finest_stride_is_eight_pixels() -> None:
    assert FINEST_STRIDE == 8


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # model/runtime/torchscript.py silences it
def test_a_photo_has_the_same_faces_alone_in_a_batch_and_scripted(network: FaceLocator) -> None:
    together = network(random_photos(3), 0.0)
    alone = network(random_photos(3)[1:2], 0.0)[0]
    scripted = torch.jit.script(network)(random_photos(3), 0.0)
    assert len(alone) > 3
    torch.testing.assert_close(together[1], alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(scripted[1], alone, atol=1e-4, rtol=1e-4)


def test_faces_are_above_the_threshold_sorted_by_score_and_do_not_overlap(network: FaceLocator) -> None:
    found = network(random_photos(1), 0.0)[0]
    threshold = found[len(found) // 2, 4].item()
    above = network(random_photos(1), threshold)[0]
    assert 0 < len(above) <= len(found)
    assert above[:, 4].min() >= threshold
    assert (above[:-1, 4] >= above[1:, 4]).all()
    iou = box_iou(found[:, None, :4], found[None, :, :4])
    assert iou.fill_diagonal_(0).max() <= network.max_iou + 1e-4


def test_rejects_images_of_another_dtype_or_shape(network: FaceLocator) -> None:
    with pytest.raises(RuntimeError, match="uint8"):
        network(random_photos(1).float(), 0.5)
    with pytest.raises(RuntimeError, match="uint8"):
        network(random_photos(1)[0], 0.5)


def test_an_untrained_network_finds_no_face() -> None:
    assert len(FaceLocator(0.25).eval()(random_photos(1), 0.5)[0]) == 0
