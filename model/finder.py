"""What the face detector's file holds: a pass over the photo that finds the faces, and a look at each for its
landmarks, in one module."""

import torch
from torch import Tensor, nn

from model.locator import FaceLocator, levels
from model.refiner import LandmarkRefiner


class FaceFinder(nn.Module):
    """Photos in, faces with exact landmarks out."""

    def __init__(self, locator: FaceLocator, refiner: LandmarkRefiner) -> None:
        super().__init__()
        self.locator, self.refiner = locator, refiner

    def forward(self, images: Tensor, least_score: float) -> list[Tensor]:
        """As FaceLocator.forward: RGB uint8 (B, H, W, 3) -> for each image its faces (F, 15)."""
        pixels = levels(images)
        found = self.locator.find(pixels, least_score)
        for image in range(len(found)):
            faces = found[image]
            if faces.size(0) > 0:
                photos = pixels[image : image + 1].expand(faces.size(0), -1, -1, -1)
                found[image] = torch.cat([faces[:, :5], self.refiner(photos, faces[:, 5:])], dim=1)
        return found
