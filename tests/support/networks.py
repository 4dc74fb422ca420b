"""Small detector networks with random weights."""

import torch

from model.detector.face_refiner import FaceRefiner
from model.detector.finder import FaceFinder
from model.detector.yunet import YuNet


def make_yunet(seed: int = 0) -> YuNet:
    """Returns a network whose scores, boxes and landmarks differ from cell to cell."""
    torch.manual_seed(seed)
    yunet = YuNet().eval()
    with torch.no_grad():
        yunet.first.weight.mul_(0.1)  # pixels go up to 255
        for head in (yunet.fine_head, yunet.middle_head, yunet.coarse_head):
            for layer in (head.pointwise, head.depthwise):
                torch.nn.init.normal_(layer.weight, std=0.3)
    return yunet


def make_finder(seed: int = 0) -> FaceFinder:
    """Returns a network whose refiner moves the landmarks by some pixels; an untrained one moves none."""
    yunet = make_yunet(seed)
    refiner = FaceRefiner(0.25)
    torch.nn.init.normal_(refiner.last.weight, std=0.5)
    torch.nn.init.normal_(refiner.last.bias)
    return FaceFinder(yunet, refiner).eval()
