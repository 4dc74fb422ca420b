"""The detection loss: which cells predict which face, and the error of their predictions.

The cells near the centre of a face predict it, on the map for its size (Tian et al. 2019, 'FCOS'; Zhang et al. 2020,
'Bridging the Gap Between Anchor-based and Anchor-free Detection'). The target of a score is the IoU of the predicted
box (Li et al. 2020, 'Generalized Focal Loss'). The box loss is generalised IoU (Rezatofighi et al. 2019).
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from model.detector.boxes import box_iou
from model.detector.network import FINEST_STRIDE, LEVELS, cell_centres, decode_maps

# The sides of the faces, in pixels, that each map predicts; in the overlap of two ranges, both maps do.
SIDE_RANGES: Final = ((0.0, 64.0), (40.0, 144.0), (96.0, float("inf")))
CENTRE_CELLS: Final = 1.5  # a cell predicts a face whose centre is at most this many cells away ...
CENTRE_SHARE: Final = 0.35  # ... and at most this share of the face's side
BACKGROUND: Final = -1
IGNORE: Final = -2  # left out of the loss
LANDMARK_UNIT: Final = 20  # landmark errors are in twentieths of the face's side
SMOOTH_L1_BETA: Final = 0.2  # of the landmark loss, in the same unit
FOCAL_EXPONENT: Final = 2.0  # beta in Li et al. 2020, equation 3


def assign_cells(faces: Tensor, ignored: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Assigns a face to every cell of the maps of one picture.

    Takes the faces (F, 14), the boxes to ignore (I, 4) and the (rows, columns) of each map. Returns the row of the
    cell's face, BACKGROUND or IGNORE, (cells,). Where faces compete, the smallest wins.
    """
    assignments = []
    for level, (rows, columns) in enumerate(sizes):
        stride = FINEST_STRIDE * 2**level
        cells = cell_centres(rows, columns, stride, faces.device).flatten(1).T  # (cells, 2)
        assignment = torch.full((len(cells),), BACKGROUND, device=faces.device)
        if len(ignored):
            within = (cells[:, None] >= ignored[None, :, :2]) & (cells[:, None] <= ignored[None, :, 2:])
            assignment[within.all(dim=2).any(dim=1)] = IGNORE
        if len(faces):
            centre = (faces[:, :2] + faces[:, 2:4]) / 2
            side = (faces[:, 2:4] - faces[:, :2]).prod(dim=1).sqrt()
            radius = torch.minimum(torch.full_like(side, CENTRE_CELLS * stride), CENTRE_SHARE * side)
            radius = radius.clamp_min(stride / 2)
            near = (cells[:, None] - centre[None]).abs().amax(dim=2) <= radius[None]  # (cells, F)
            low, high = SIDE_RANGES[level]
            in_range = (side >= low) & (side < high)
            # A face of another map's size looks much the same on this one, so it must not count as background.
            assignment[(near & ~in_range[None]).any(dim=1)] = IGNORE
            candidates = torch.where(near & in_range[None], side[None], torch.inf)
            smallest, row = candidates.min(dim=1)
            assignment = torch.where(smallest.isfinite(), row, assignment)
        assignments.append(assignment)
    return torch.cat(assignments)


def detection_loss(
    maps: list[Tensor], faces: Sequence[Tensor], ignored: Sequence[Tensor], box_weight: float, landmark_weight: float
) -> Tensor:
    """The loss of a batch of B pictures, a scalar: the sum over their cells by the number of cells with a face.

    Takes the network's maps, and the faces (F, 14) and the boxes to ignore (I, 4) of each picture.
    """
    assert len(maps) == LEVELS
    sizes = [(int(each.shape[2]), int(each.shape[3])) for each in maps]
    assignments = [assign_cells(true, boxes, sizes) for true, boxes in zip(faces, ignored, strict=True)]
    predictions = decode_maps(maps)  # (B, cells, VALUES)
    logits = torch.cat([each[:, 4].flatten(1) for each in maps], dim=1)  # (B, cells)
    targets = torch.zeros_like(logits)
    box_loss, landmark_loss, count = logits.sum() * 0, logits.sum() * 0, 0
    for picture, assignment in enumerate(assignments):
        cells = (assignment >= 0).nonzero().flatten()
        if not len(cells):
            continue
        true, predicted = faces[picture][assignment[cells]], predictions[picture, cells]
        targets[picture, cells] = box_iou(predicted[:, :4].detach(), true[:, :4])
        box_loss = box_loss + generalized_box_iou_loss(predicted[:, :4], true[:, :4], reduction="sum")
        side = (true[:, 2:4] - true[:, :2]).prod(dim=1).sqrt()
        error = (predicted[:, 5:] - true[:, 4:]) / side[:, None] * LANDMARK_UNIT
        error = F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=SMOOTH_L1_BETA)
        landmark_loss = landmark_loss + error.mean(1).sum()
        count += len(cells)
    counted = torch.stack(assignments) != IGNORE
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    score_loss = ((targets - logits.sigmoid()).abs().pow(FOCAL_EXPONENT) * cross_entropy)[counted].sum()
    return (score_loss + box_weight * box_loss + landmark_weight * landmark_loss) / max(count, 1)
