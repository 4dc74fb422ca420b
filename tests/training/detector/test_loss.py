import pytest
import torch

from model.detector.network import VALUES, cell_centres
from tests.support.training.detections import make_face
from training.detector.loss import BACKGROUND, IGNORE, assign_cells, detection_loss

SIZES = [(16, 16), (8, 8), (4, 4)]  # of a picture of 128 px
CELLS = [rows * columns for rows, columns in SIZES]
NO_BOXES = torch.zeros(0, 4)


def label(x: float, y: float, side: float) -> torch.Tensor:
    """A face without its score, (14,)."""
    face = torch.from_numpy(make_face(x, y, side))
    return torch.cat([face[:4], face[5:]])


def test_the_central_cells_of_a_face_predict_it_on_the_map_for_its_size() -> None:
    small, large = label(20, 20, 24), label(70, 70, 110)
    assignment = assign_cells(torch.stack([small, large]), NO_BOXES, SIZES)
    fine, middle, coarse = torch.split(assignment, CELLS)
    assert (fine == 0).nonzero().flatten().tolist() == [16 * row + column for row in (1, 2, 3) for column in (1, 2, 3)]
    assert not (fine == 1).any()
    assert (middle == 1).any()
    assert (coarse == 1).any()
    centre = cell_centres(16, 16, 8.0, torch.device("cpu"))[:, 8, 8]
    assert (centre - 70).abs().max() < 8
    assert fine.view(16, 16)[8, 8] == IGNORE  # the centre of the large face, on a map that is too fine for it
    assert fine.view(16, 16)[0, 15] == BACKGROUND


def test_of_two_faces_the_smaller_one_gets_the_cell() -> None:
    assignment = assign_cells(torch.stack([label(64, 64, 60), label(64, 64, 30)]), NO_BOXES, SIZES)
    assert (assignment == 1).any()
    assert assignment[: CELLS[0]].view(16, 16)[8, 8] == 1


def test_cells_in_ignored_boxes_are_ignored() -> None:
    assignment = assign_cells(torch.zeros(0, 14), torch.tensor([[0.0, 0.0, 40.0, 40.0]]), SIZES)
    assert (assignment[: CELLS[0]].view(16, 16)[:5, :5] == IGNORE).all()
    assert (assignment == BACKGROUND).sum() + (assignment == IGNORE).sum() == sum(CELLS)


def make_perfect_maps(faces: torch.Tensor) -> list[torch.Tensor]:
    """Makes maps that predict these faces without an error."""
    assignment = assign_cells(faces, NO_BOXES, SIZES)
    maps, start = [], 0
    for level, (rows, columns) in enumerate(SIZES):
        stride = 8.0 * 2**level
        centres = cell_centres(rows, columns, stride, torch.device("cpu")).flatten(1)
        values = torch.zeros(VALUES, rows * columns)
        values[4] = -20.0
        for cell, row in enumerate(assignment[start : start + rows * columns].tolist()):
            if row >= 0:
                x, y = centres[:, cell]
                left, top, right, bottom = faces[row, :4]
                values[:4, cell] = (torch.stack([x - left, y - top, right - x, bottom - y]) / stride).log()
                values[4, cell] = 20.0
                values[5:, cell] = ((faces[row, 4:].view(5, 2) - centres[:, cell]) / stride).flatten()
        start += rows * columns
        maps.append(values.view(1, VALUES, rows, columns))
    return maps


def test_perfect_predictions_have_no_loss_and_every_error_has() -> None:
    faces = torch.stack([label(30, 40, 40), label(90, 80, 70)])
    maps = make_perfect_maps(faces)
    best = detection_loss(maps, [faces], [NO_BOXES], 2.0, 1.0)
    assert best.item() == pytest.approx(0.0, abs=1e-4)
    for channel, change in ((0, 0.5), (4, -19.0), (9, 1.0)):
        worse = [each.clone() for each in maps]
        worse[0][:, channel] += change * (maps[0][:, 4] > 0)
        assert detection_loss(worse, [faces], [NO_BOXES], 2.0, 1.0) > best + 1e-3
    false_positive = [each.clone() for each in maps]
    false_positive[0][0, 4, 15, 0] = 5.0
    assert detection_loss(false_positive, [faces], [NO_BOXES], 2.0, 1.0) > best + 0.1
    ignored = torch.tensor([[0.0, 112.0, 16.0, 128.0]])
    assert detection_loss(false_positive, [faces], [ignored], 2.0, 1.0) < best + 1e-3


def test_pictures_without_faces_have_a_loss_and_a_gradient() -> None:
    maps = [torch.zeros(2, VALUES, *size, requires_grad=True) for size in SIZES]
    loss = detection_loss(maps, [torch.zeros(0, 14)] * 2, [NO_BOXES] * 2, 2.0, 1.0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss > 0
    assert maps[0].grad is not None
    assert maps[0].grad[:, 4].abs().sum() > 0
