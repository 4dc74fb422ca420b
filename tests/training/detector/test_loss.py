import pytest
import torch

from model.detector.network import VALUES, centres
from training.detector.loss import NOBODY, UNSURE, assign, detection_loss

SIZES = [(16, 16), (8, 8), (4, 4)]  # of a picture of 128 px
CELLS = [rows * columns for rows, columns in SIZES]


def face(x: float, y: float, side: float) -> torch.Tensor:
    box = torch.tensor([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    points = torch.tensor([[-0.2, -0.1], [0.2, -0.1], [0.0, 0.1], [-0.15, 0.3], [0.15, 0.3]]) * side
    return torch.cat([box, (points + torch.tensor([x, y])).flatten()])


NOTHING = torch.zeros(0, 4)


def test_the_cells_in_the_middle_of_a_face_answer_for_it_on_the_map_of_its_size() -> None:
    small, large = face(20, 20, 24), face(70, 70, 110)
    answer = assign(torch.stack([small, large]), NOTHING, SIZES)
    fine, middle, coarse = torch.split(answer, CELLS)
    assert (fine == 0).nonzero().flatten().tolist() == [16 * row + column for row in (1, 2, 3) for column in (1, 2, 3)]
    assert not (fine == 1).any()
    assert (middle == 1).any()
    assert (coarse == 1).any()
    at = centres(16, 16, 8.0, torch.device("cpu"))[:, 8, 8]
    assert (at - 70).abs().max() < 8
    assert fine.view(16, 16)[8, 8] == UNSURE  # the large face, seen on a map that is too fine for it
    assert fine.view(16, 16)[0, 15] == NOBODY


def test_the_smaller_of_two_faces_has_the_cell() -> None:
    answer = assign(torch.stack([face(64, 64, 60), face(64, 64, 30)]), NOTHING, SIZES)
    assert (answer == 1).any()
    assert answer[: CELLS[0]].view(16, 16)[8, 8] == 1


def test_nothing_is_taught_in_unsure_boxes() -> None:
    answer = assign(torch.zeros(0, 14), torch.tensor([[0.0, 0.0, 40.0, 40.0]]), SIZES)
    assert (answer[: CELLS[0]].view(16, 16)[:5, :5] == UNSURE).all()
    assert (answer == NOBODY).sum() + (answer == UNSURE).sum() == sum(CELLS)


def perfect(wanted: torch.Tensor) -> list[torch.Tensor]:
    """Maps that answer for these faces without a mistake."""
    answer = assign(wanted, NOTHING, SIZES)
    maps, start = [], 0
    for level, (rows, columns) in enumerate(SIZES):
        stride = 8.0 * 2**level
        at = centres(rows, columns, stride, torch.device("cpu")).flatten(1)
        values = torch.zeros(VALUES, rows * columns)
        values[4] = -20.0
        for cell, row in enumerate(answer[start : start + rows * columns].tolist()):
            if row >= 0:
                x, y = at[:, cell]
                left, top, right, bottom = wanted[row, :4]
                values[:4, cell] = (torch.stack([x - left, y - top, right - x, bottom - y]) / stride).log()
                values[4, cell] = 20.0
                values[5:, cell] = ((wanted[row, 4:].view(5, 2) - at[:, cell]) / stride).flatten()
        start += rows * columns
        maps.append(values.view(1, VALUES, rows, columns))
    return maps


def test_a_perfect_answer_costs_nothing_and_every_mistake_costs() -> None:
    wanted = torch.stack([face(30, 40, 40), face(90, 80, 70)])
    maps = perfect(wanted)
    best = detection_loss(maps, [wanted], [NOTHING], 2.0, 1.0)
    assert best.item() == pytest.approx(0.0, abs=1e-4)
    for channel, change in ((0, 0.5), (4, -19.0), (9, 1.0)):
        worse = [each.clone() for each in maps]
        worse[0][:, channel] += change * (maps[0][:, 4] > 0)
        assert detection_loss(worse, [wanted], [NOTHING], 2.0, 1.0) > best + 1e-3
    seen = [each.clone() for each in maps]
    seen[0][0, 4, 15, 0] = 5.0  # a face where there is none
    assert detection_loss(seen, [wanted], [NOTHING], 2.0, 1.0) > best + 0.1
    assert detection_loss(seen, [wanted], [torch.tensor([[0.0, 112.0, 16.0, 128.0]])], 2.0, 1.0) < best + 1e-3


def test_pictures_without_faces_have_a_loss_and_a_gradient() -> None:
    maps = [torch.zeros(2, VALUES, *size, requires_grad=True) for size in SIZES]
    loss = detection_loss(maps, [torch.zeros(0, 14)] * 2, [NOTHING] * 2, 2.0, 1.0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss > 0
    assert maps[0].grad is not None
    assert maps[0].grad[:, 4].abs().sum() > 0
