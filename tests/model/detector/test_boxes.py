import torch

from model.detector.boxes import box_iou, suppress_overlaps

BOXES = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])


def test_box_iou_of_every_pair() -> None:
    expected = torch.tensor([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]])
    torch.testing.assert_close(box_iou(BOXES[:, None], BOXES[None]), expected)


def test_box_iou_row_by_row() -> None:
    torch.testing.assert_close(box_iou(BOXES, BOXES[[1, 1, 1]]), torch.tensor([1 / 3, 1, 0]))


def test_box_iou_of_empty_boxes_is_zero() -> None:
    empty = torch.tensor([[1.0, 1, 1, 1], [2, 2, 1, 1]])
    assert box_iou(empty, empty).tolist() == [0, 0]
    assert box_iou(torch.zeros(0, 1, 4), BOXES[None]).shape == (0, 3)


def test_of_two_overlapping_boxes_the_one_with_the_higher_score_is_kept() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0], [20.0, 0.0, 30.0, 10.0]])
    scores = torch.tensor([0.6, 0.9, 0.7])
    assert suppress_overlaps(boxes, scores, 0.5).tolist() == [1, 2]
    assert suppress_overlaps(boxes, scores, 0.95).tolist() == [1, 2, 0]
