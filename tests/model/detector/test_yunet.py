import pytest
import torch

from model.detector.boxes import box_iou
from model.detector.layout import MAX_IOU
from model.detector.yunet import CHANNELS, MAX_COMPARED, STRIDES, YuNet, decode_map
from model.runtime.torchscript import script
from tests.support.networks import make_yunet
from tests.support.pictures import random_photos


@pytest.fixture
def network() -> YuNet:
    return make_yunet()


def cold_map(rows: int, columns: int) -> torch.Tensor:
    """Returns a map without a face."""
    values = torch.zeros(CHANNELS, rows, columns)
    values[4:6] = -10.0
    return values


def test_one_hot_cell_decodes_to_its_box_and_landmarks() -> None:
    values = cold_map(3, 4)
    cell = values[:, 1, 2]  # stride 16: the origin of the cell is (32, 16)
    cell[:2] = torch.tensor([0.5, 0.25])  # centre of the box, in cells from the origin
    cell[2:4] = torch.tensor([2.0, 3.0]).log()  # its width and height, in cells
    cell[4:6] = torch.tensor([2.0, 1.0])
    cell[6:] = torch.arange(10.0) / 8
    (face,) = decode_map(values, 16.0, 0.5)
    torch.testing.assert_close(face[:4], torch.tensor([40 - 16, 20 - 24, 40 + 16, 20 + 24.0]))
    torch.testing.assert_close(face[4], (torch.tensor(2.0).sigmoid() * torch.tensor(1.0).sigmoid()).sqrt())
    torch.testing.assert_close(face[5:], torch.arange(10.0) * 2 + torch.tensor([32.0, 16.0] * 5))


def test_a_map_without_a_hot_cell_decodes_to_no_face() -> None:
    assert decode_map(cold_map(3, 4), 8.0, 0.5).shape == (0, 15)


def test_a_cell_needs_both_chances_to_be_a_face() -> None:
    values = cold_map(2, 2)
    values[4, 0, 0] = values[5, 1, 1] = 10.0
    assert len(decode_map(values, 8.0, 0.5)) == 0
    values[5, 0, 0] = 10.0
    assert len(decode_map(values, 8.0, 0.5)) == 1


def test_each_map_is_decoded_with_its_stride(network: YuNet) -> None:
    for number, stride in enumerate(STRIDES):
        maps = [cold_map(8, 8)[None], cold_map(4, 4)[None], cold_map(2, 2)[None]]
        maps[number][0, :, 1, 1] = 0
        maps[number][0, 4:6, 1, 1] = 10.0
        ((face,),) = network.faces(maps, 0.5)
        torch.testing.assert_close(face[:4], stride * torch.tensor([0.5, 0.5, 1.5, 1.5]))


def test_of_overlapping_faces_only_the_best_is_kept(network: YuNet) -> None:
    fine = cold_map(8, 8)[None]
    for column, logit in ((1, 3.0), (2, 5.0), (3, 2.0), (7, 1.0)):
        fine[0, 2:4, 1, column] = torch.tensor(4.0).log()  # four cells wide, so neighbours overlap
        fine[0, 4:6, 1, column] = logit
    (faces,) = network.faces([fine, cold_map(4, 4)[None], cold_map(2, 2)[None]], 0.5)
    assert (faces[:, :4].view(-1, 2, 2).mean(dim=1)[:, 0] / 8).tolist() == [2.0, 7.0]


def test_faces_are_above_the_threshold_sorted_by_score_and_do_not_overlap(network: YuNet) -> None:
    found = network(random_photos(1), 0.0)[0]
    threshold = found[len(found) // 2, 4].item()
    above = network(random_photos(1), threshold)[0]
    assert 3 < len(above) < len(found)
    assert above[:, 4].min() >= threshold
    assert (above[:-1, 4] >= above[1:, 4]).all()
    iou = box_iou(found[:, None, :4], found[None, :, :4])
    assert iou.fill_diagonal_(0).max() <= MAX_IOU + 1e-4


def test_a_photo_has_the_same_faces_alone_in_a_batch_and_scripted(network: YuNet) -> None:
    together, scripted = network(random_photos(3), 0.0), script(network)(random_photos(3), 0.0)
    (alone,) = network(random_photos(3)[1:2], 0.0)
    assert len(alone) > 3
    torch.testing.assert_close(together[1], alone, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(scripted[1], alone, atol=1e-3, rtol=1e-4)


def test_maps_cover_a_photo_of_any_size(network: YuNet) -> None:
    maps = network.maps(torch.zeros(2, 3, 33, 5))
    assert [tuple(each.shape) for each in maps] == [(2, CHANNELS, 64 // stride, 32 // stride) for stride in STRIDES]


def test_black_below_and_on_the_right_changes_nothing(network: YuNet) -> None:
    photo = random_photos(1, 40, 70)
    padded = torch.zeros(1, 64, 96, 3, dtype=torch.uint8)
    padded[:, :40, :70] = photo
    torch.testing.assert_close(network(photo, 0.0)[0], network(padded, 0.0)[0])


def test_rejects_images_of_another_dtype_or_shape(network: YuNet) -> None:
    with pytest.raises(RuntimeError, match="uint8"):
        network(random_photos(1).float(), 0.5)
    with pytest.raises(RuntimeError, match="uint8"):
        network(random_photos(1)[0], 0.5)
    with pytest.raises(RuntimeError, match="uint8"):
        network(random_photos(1)[..., :2], 0.5)


def test_of_very_many_candidates_only_the_best_are_compared(network: YuNet) -> None:
    fine = torch.zeros(CHANNELS, 128, 128)  # a box in every cell, none of which overlap
    fine[4:6] = torch.linspace(-1.0, 1.0, 128 * 128).view(128, 128)
    maps = [fine[None], cold_map(2, 2)[None], cold_map(2, 2)[None]]
    (faces,) = script(network).faces(maps, 0.1)
    assert len(faces) == MAX_COMPARED < 128 * 128
    torch.testing.assert_close(faces[:, 4], torch.linspace(1.0, 0.0, MAX_COMPARED).sigmoid(), atol=1e-3, rtol=0)
