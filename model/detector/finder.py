"""The network in the face detector's file: it locates the faces of a photo, then refines the landmarks of each."""

import torch
from torch import Tensor, nn

from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator, to_nchw


class FaceFinder(nn.Module):
    """A FaceLocator followed by a LandmarkRefiner."""

    def __init__(self, locator: FaceLocator, refiner: LandmarkRefiner) -> None:
        super().__init__()
        self.locator, self.refiner = locator, refiner

    def forward(self, images: Tensor, least_score: float) -> list[Tensor]:
        """Detects the faces in RGB images, uint8 (B, H, W, 3), with refined landmarks.

        Returns the faces of each image, (F, 15), and raises, as FaceLocator.forward does.
        """
        return self.faces(images, self.maps(images), least_score)

    @torch.jit.export
    def maps(self, images: Tensor) -> list[Tensor]:
        """Computes the locator's three maps for RGB images, uint8 (B, H, W, 3).

        This part takes most of the time, so the service may run it in another form (model/runtime/forms.py).
        """
        return self.locator.maps(to_nchw(images))

    @torch.jit.export
    def faces(self, images: Tensor, maps: list[Tensor], least_score: float) -> list[Tensor]:
        """Decodes the maps of `images` to the faces of each, (F, 15), with refined landmarks."""
        found = self.locator.faces(maps, least_score)
        for image in range(len(found)):
            faces = found[image]
            if faces.size(0) > 0:
                photos = to_nchw(images[image : image + 1]).expand(faces.size(0), -1, -1, -1)
                found[image] = torch.cat([faces[:, :5], self.refiner(photos, faces[:, 5:])], dim=1)
        return found
