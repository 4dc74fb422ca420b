"""Overlaps of boxes, (left, top, right, bottom), and non-maximum suppression."""

import torch
from torch import Tensor

import model.runtime.operators  # noqa: F401  # registers torchvision's nms


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union, 0..1, of boxes (..., 4) and (..., 4), whose leading dimensions are broadcast.

    Row by row for (N, 4) and (N, 4); every pair for (A, 1, 4) and (1, B, 4). An empty box has 0 with any other.
    """
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    intersection = (high - low).clamp_min(0).prod(dim=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(dim=-1) for boxes in (first, second)]
    return intersection / (areas[0] + areas[1] - intersection).clamp_min(1e-6)


def suppress_overlaps(boxes: Tensor, scores: Tensor, max_iou: float) -> Tensor:
    """Non-maximum suppression: the rows (K,) int64 of the boxes (N, 4) to keep, by falling score (N,).

    A box is dropped if its IoU with one of higher score exceeds `max_iou`.
    """
    kept: Tensor = torch.ops.torchvision.nms(boxes, scores, max_iou)
    return kept
