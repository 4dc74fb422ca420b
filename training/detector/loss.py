"""Which cell answers for which face, and how wrong its answer is.

Cells near the middle of a face answer for it, on the map of its size (Tian et al. 2019, 'FCOS'; Zhang et al. 2020,
'Bridging the Gap Between Anchor-based and Anchor-free Detection'). A score is taught how well its box overlaps (Li et
al. 2020, 'Generalized Focal Loss'), boxes by generalised intersection over union (Rezatofighi et al. 2019).
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from model.detector.network import FIRST_STRIDE, LEVELS, centres, decode

# The sides of the faces, in pixels, that each map answers for; between two maps, both do.
SIDES: Final = ((0.0, 64.0), (40.0, 144.0), (96.0, float("inf")))
REACH: Final = 1.5  # cells from a face's middle that answer for it ...
CORE: Final = 0.35  # ... and not further than this share of its side
NOBODY: Final = -1
UNSURE: Final = -2  # neither a face nor none
EXACT: Final = 0.2  # twentieths of a face's side within which a landmark's error weighs less and less
FOCUS: Final = 2.0  # how much more a wrong score weighs than a nearly right one


def assign(faces: Tensor, unsure: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Faces (F, 14) and unsure boxes (U, 4) of one picture, and (rows, columns) of each map -> for every cell the row
    of its face, NOBODY or UNSURE, (cells,). Of several faces the smallest has the cell."""
    answers = []
    for level, (rows, columns) in enumerate(sizes):
        stride = FIRST_STRIDE * 2**level
        at = centres(rows, columns, stride, faces.device).flatten(1).T  # (cells, 2)
        answer = torch.full((len(at),), NOBODY, device=faces.device)
        if len(unsure):
            within = (at[:, None] >= unsure[None, :, :2]) & (at[:, None] <= unsure[None, :, 2:])
            answer[within.all(dim=2).any(dim=1)] = UNSURE
        if len(faces):
            middle = (faces[:, :2] + faces[:, 2:4]) / 2
            extent = faces[:, 2:4] - faces[:, :2]
            side = extent.prod(dim=1).sqrt()
            reach = torch.minimum(torch.full_like(side, REACH * stride), CORE * side).clamp_min(stride / 2)
            near = (at[:, None] - middle[None]).abs().amax(dim=2) <= reach[None]  # (cells, F)
            low, high = SIDES[level]
            mine = (side >= low) & (side < high)
            # Another map's face looks much the same to this one: say nothing of it here.
            answer[(near & ~mine[None]).any(dim=1)] = UNSURE
            size = torch.where(near & mine[None], side[None], torch.inf)
            smallest, row = size.min(dim=1)
            answer = torch.where(smallest.isfinite(), row, answer)
        answers.append(answer)
    return torch.cat(answers)


def detection_loss(
    maps: list[Tensor], faces: Sequence[Tensor], unsure: Sequence[Tensor], box_weight: float, landmark_weight: float
) -> Tensor:
    """The network's maps for a batch of B pictures, with each picture's faces (F, 14) and unsure boxes (U, 4) -> a
    scalar, the mean over the cells that answer for a face."""
    assert len(maps) == LEVELS
    sizes = [(int(each.shape[2]), int(each.shape[3])) for each in maps]
    answers = [assign(each, doubtful, sizes) for each, doubtful in zip(faces, unsure, strict=True)]
    found = decode(maps)  # (B, cells, VALUES)
    odds = torch.cat([each[:, 4].flatten(1) for each in maps], dim=1)  # (B, cells)
    wanted = torch.zeros_like(odds)
    box_loss, landmark_loss, count = odds.sum() * 0, odds.sum() * 0, 0
    for picture, answer in enumerate(answers):
        cells = (answer >= 0).nonzero().flatten()
        if not len(cells):
            continue
        true, guess = faces[picture][answer[cells]], found[picture, cells]
        wanted[picture, cells] = _overlap(guess[:, :4].detach(), true[:, :4])
        box_loss = box_loss + generalized_box_iou_loss(guess[:, :4], true[:, :4], reduction="sum")
        side = (true[:, 2:4] - true[:, :2]).prod(dim=1).sqrt()
        apart = (guess[:, 5:] - true[:, 4:]) / side[:, None] * 20  # in twentieths of the side
        apart = F.smooth_l1_loss(apart, torch.zeros_like(apart), reduction="none", beta=EXACT)
        landmark_loss = landmark_loss + apart.mean(1).sum()
        count += len(cells)
    sure = torch.stack(answers) != UNSURE
    error = F.binary_cross_entropy_with_logits(odds, wanted, reduction="none")
    score_loss = ((wanted - odds.sigmoid()).abs().pow(FOCUS) * error)[sure].sum()
    return (score_loss + box_weight * box_loss + landmark_weight * landmark_loss) / max(count, 1)


def _overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union, row by row, (N,)."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    shared = (high - low).clamp_min(0).prod(dim=1)
    areas = [(box[:, 2:] - box[:, :2]).clamp_min(0).prod(dim=1) for box in (first, second)]
    return shared / (areas[0] + areas[1] - shared).clamp_min(1e-6)
