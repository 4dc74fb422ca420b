"""A close look at a doubtful candidate: YuNet searches its upright crop, in which a face would lie in the middle.

YuNet saw the candidate small, at the angle and the size that it has in the photo. Upright and enlarged, a hard face
looks more like one, and most other things less.
"""

from typing import Final

import torch
from torch import Tensor, nn

from model.detector.layout import CLOSE_SIZE, close_template
from model.detector.yunet import STRIDES

NEAR: Final = 0.15  # how far the centre of a face's landmarks may lie from the template's, as a share of the crop
LEAST: Final = 1e-6  # of a score whose logit is taken


class CloseLook(nn.Module):
    """Reads the score of the face in the middle of each crop from YuNet's maps."""

    template: Tensor  # (5, 2): where the landmarks of a face lie in the crop
    near: Final[float]
    finest: Final[float]
    least: Final[float]

    def __init__(self) -> None:
        super().__init__()
        self.near, self.finest, self.least = NEAR * CLOSE_SIZE, float(STRIDES[0]), LEAST
        self.register_buffer("template", torch.from_numpy(close_template()).float())

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Takes YuNet's maps of crops (F, ...). Returns (F,): the logit of the best score in the middle."""
        centre = self.template.mean(dim=0)
        best, stride = torch.zeros(maps[0].size(0), device=centre.device), self.finest
        for each in maps:
            values = each.float()  # (F, CHANNELS, rows, columns)
            rows, columns = values.size(2), values.size(3)
            row = torch.arange(rows, device=values.device).view(1, rows, 1)
            column = torch.arange(columns, device=values.device).view(1, 1, columns)
            x = (values[:, 6::2].mean(dim=1) + column) * stride  # (F, rows, columns): the landmarks' centre
            y = (values[:, 7::2].mean(dim=1) + row) * stride
            scores = (values[:, 4].sigmoid() * values[:, 5].sigmoid()).sqrt()
            distances = ((x - centre[0]).square() + (y - centre[1]).square()).sqrt()
            scores = torch.where(distances < self.near, scores, torch.zeros_like(scores))
            best = torch.maximum(best, scores.flatten(1).amax(dim=1))
            stride = stride * 2.0
        return torch.logit(best, self.least)
