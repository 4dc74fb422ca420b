"""The network in the face detector's file: it locates the faces of a photo, refines each, and judges doubtful ones."""

import torch
from torch import Tensor, nn

from model.detector.close_look import CloseLook
from model.detector.crop_sampler import CropSampler
from model.detector.face_refiner import FaceRefiner
from model.detector.layout import COORDINATES
from model.detector.yunet import YuNet, to_nchw
from model.face import MIRRORED_ORDER


class FaceFinder(nn.Module):
    """A YuNet and a FaceRefiner."""

    mirrored_order: Tensor  # (11,): where each value of the refiner is in those of the mirror image ...
    mirrored_sign: Tensor  # (11,): ... and its sign there: x runs the other way

    def __init__(self, yunet: YuNet, refiner: FaceRefiner) -> None:
        super().__init__()
        self.yunet, self.refiner = yunet, refiner
        self.sampler, self.close_look = CropSampler(), CloseLook()
        # The template is not quite symmetric, by less than 0.15 pixels, which the offsets neglect.
        order = [2 * landmark + axis for landmark in MIRRORED_ORDER for axis in (0, 1)]
        self.register_buffer("mirrored_order", torch.tensor([*order, COORDINATES]))
        self.register_buffer("mirrored_sign", torch.tensor([-1.0, 1.0] * len(MIRRORED_ORDER) + [1.0]))

    def forward(self, images: Tensor, least_score: float) -> list[Tensor]:
        """Locates the candidates in RGB images, uint8 (B, H, W, 3). Returns and raises what YuNet.forward does."""
        return self.candidates(self.maps(images), least_score)

    @torch.jit.export
    def maps(self, images: Tensor) -> list[Tensor]:
        """Computes YuNet's three maps for RGB images, uint8 (B, H, W, 3).

        This part takes most of the time, so the service may run it in another form (model/runtime/forms.py).
        """
        return self.yunet.maps(to_nchw(images))

    @torch.jit.export
    def candidates(self, maps: list[Tensor], least_score: float) -> list[Tensor]:
        """Decodes maps to the candidates of each image, (F, 15), as YuNet.faces does."""
        return self.yunet.faces(maps, least_score)

    @torch.jit.export
    def glance(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """Refines landmarks (F, 10) on the image in which they were found, uint8 (1, H, W, 3): fast, but coarse.

        Returns (F, 11): the landmarks in pixels of the image, and the logit of a face.
        """
        pixels = to_nchw(images).expand(landmarks.size(0), -1, -1, -1)
        values: Tensor = self.refiner(self.sampler(pixels, landmarks))
        refined = self.sampler.to_photo(values[:, :-1], landmarks)
        return torch.cat([refined, values[:, -1:]], dim=1)

    @torch.jit.export
    def refine(self, crops: Tensor) -> Tensor:
        """Looks at aligned crops, uint8 (F, S, S, 3), and at their mirror images, and takes the mean.

        Returns (F, 11): the offsets of the landmarks and the logit of a face, as FaceRefiner.forward does.
        """
        pixels = to_nchw(crops)
        values: Tensor = self.refiner(torch.cat([pixels, pixels.flip(3)]))
        count = crops.size(0)
        mirrored = values[count:, self.mirrored_order] * self.mirrored_sign
        return (values[:count] + mirrored) / 2.0

    @torch.jit.export
    def look_closely(self, crops: Tensor) -> Tensor:
        """Searches upright crops, uint8 (F, CLOSE_SIZE, CLOSE_SIZE, 3), and their mirror images for the face in the
        middle. Returns the mean logits of their scores by YuNet, (F,)."""
        pixels = to_nchw(crops)
        logits: Tensor = self.close_look(self.yunet.maps(torch.cat([pixels, pixels.flip(3)])))
        return (logits[: crops.size(0)] + logits[crops.size(0) :]) / 2.0
