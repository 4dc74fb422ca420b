"""The network in the face detector's file: a pass over the photo that finds the faces, then a look at each face for its
landmarks."""

import torch
from torch import Tensor, nn

from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator, levels


class FaceFinder(nn.Module):
    """Photos in, faces with exact landmarks out."""

    def __init__(self, locator: FaceLocator, refiner: LandmarkRefiner) -> None:
        super().__init__()
        self.locator, self.refiner = locator, refiner

    def forward(self, images: Tensor, least_score: float) -> list[Tensor]:
        """RGB uint8 (B, H, W, 3) -> for each image its faces (F, 15), as FaceLocator.forward returns them."""
        return self.faces(images, self.maps(images), least_score)

    @torch.jit.export
    def maps(self, images: Tensor) -> list[Tensor]:
        """RGB uint8 (B, H, W, 3) -> the locator's three maps. Most of the time goes here, so this is the part that the
        service may run in another form (model/runtime/forms.py)."""
        return self.locator.maps(levels(images))

    @torch.jit.export
    def faces(self, images: Tensor, maps: list[Tensor], least_score: float) -> list[Tensor]:
        """The photos and their maps -> for each photo its faces (F, 15), with refined landmarks."""
        found = self.locator.faces(maps, least_score)
        pixels = levels(images)
        for image in range(len(found)):
            faces = found[image]
            if faces.size(0) > 0:
                photos = pixels[image : image + 1].expand(faces.size(0), -1, -1, -1)
                found[image] = torch.cat([faces[:, :5], self.refiner(photos, faces[:, 5:])], dim=1)
        return found
