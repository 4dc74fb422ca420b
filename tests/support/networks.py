"""Small detector networks with random weights."""

import torch

from model.detector.network import FaceLocator


def make_locator(seed: int = 0) -> FaceLocator:
    """Returns a locator whose score and box differ from cell to cell; a new one gives the same in every cell."""
    torch.manual_seed(seed)
    locator = FaceLocator(0.25).eval()
    for head in (locator.fine_out, locator.middle_out, locator.coarse_out):
        last = head[-1]
        assert isinstance(last, torch.nn.Conv2d)
        torch.nn.init.normal_(last.weight, std=0.5)
    return locator
