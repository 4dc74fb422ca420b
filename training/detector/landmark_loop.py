"""Training of the landmark refiner, which corrects the five landmarks of a face that was found.

The refiner does not depend on the locator: it gets landmarks from whatever detector found the face. So it is trained by
itself, on pseudo-labels that are perturbed at random.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from model.alignment import similarity_transform
from model.detector.landmark_refiner import LandmarkRefiner
from training.config import CropConfig
from training.data.augmentation import augment_photometric
from training.data.crops import template_with_margin
from training.data.errors import DataError
from training.data.prepared_faces import PreparedFaces
from training.data.splits import select_rows
from training.detector.composites.composer import MIRRORED_ORDER
from training.detector.config import GuessConfig, LandmarkConfig
from training.optimization.distributed import pick_device
from training.optimization.loop import TrainingLoop

SMOOTH_L1_BETA: Final = 0.02  # eye distances


@dataclass(frozen=True)
class RefinerBatch:
    """Photos around faces, float (B, 3, H, W), and the landmarks to start from and to find, (B, 10) in pixels."""

    pixels: Tensor
    initial: Tensor
    target: Tensor

    def error(self, landmarks: Tensor) -> Tensor:
        """The error of each coordinate of landmarks (B, 10), in eye distances."""
        eye_distance: Tensor = torch.linalg.vector_norm(self.target[:, 2:4] - self.target[:, :2], dim=1, keepdim=True)
        return (landmarks - self.target) / eye_distance


def train_refiner(
    config: LandmarkConfig, faces: PreparedFaces, training: frozenset[str], validation: frozenset[str], run: Path
) -> Path:
    """Trains on the crops of the people `training`, or resumes `run`. Returns the path of best.pt.

    The score of a validation is 1 less the mean landmark error on the people `validation`. Raises ConfigError if `run`
    was made with another config, and DataError if either group has no crops.
    """
    device = pick_device()
    torch.manual_seed(config.training.seed)
    refiner = LandmarkRefiner(config.width).to(device)
    loop = TrainingLoop(refiner, config, run, device)
    landmarks = torch.from_numpy(crop_landmarks(faces, config.crops))
    rows, held_out = select_rows(faces.people, training), select_rows(faces.people, validation)
    if not (len(rows) and len(held_out)):
        raise DataError("The training or the validation people have no crops. Check the photos and the lists.")
    crops = torch.from_numpy(np.ascontiguousarray(faces.crops[rows]))  # (N, T, T, 3), in memory
    targets = landmarks[rows]

    def compute_loss(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(crops), (config.batch,), generator=generator)
        batch = make_batch(crops[chosen].to(device), targets[chosen].to(device), config.guess, generator)
        inputs = refiner.crop_faces(batch.pixels, batch.initial)
        inputs = augment_photometric(inputs, config.augmentation, generator)
        with loop.autocast():
            offsets = refiner.offsets(inputs)
        error = batch.error(refiner.to_photo(offsets.float(), batch.initial))
        return F.smooth_l1_loss(error, torch.zeros_like(error), beta=SMOOTH_L1_BETA)

    def validate_averaged(averaged: LandmarkRefiner) -> dict[str, float]:
        return validate(averaged, faces.crops[held_out], landmarks[held_out], config.guess, device)

    return loop.run(compute_loss, validate_averaged, config.batch)


def crop_landmarks(faces: PreparedFaces, config: CropConfig) -> NDArray[np.float32]:
    """Returns the landmarks in pixels of the crops instead of the photos, (N, 10)."""
    template = template_with_margin(config)
    in_crops = []
    for landmarks in faces.landmarks:
        linear = similarity_transform(landmarks, template)
        in_crops.append((landmarks @ linear[:, :2].T + linear[:, 2]).ravel())
    return np.array(in_crops, np.float32)


def make_batch(crops: Tensor, landmarks: Tensor, config: GuessConfig, generator: torch.Generator) -> RefinerBatch:
    """Makes a batch of crops, uint8 (B, T, T, 3), with their landmarks (B, 10).

    The crops are shrunk by one random factor. Each is mirrored or not, and its initial landmarks are perturbed.
    """
    count, side = len(crops), crops.shape[1]
    blocks = int(torch.randint(1, config.blocks + 1, (), generator=generator))
    mirrored = (torch.rand(count, 1, 1, generator=generator) < 0.5).to(crops.device)
    pixels = crops.permute(0, 3, 1, 2)
    pixels = torch.where(mirrored[..., None], pixels.flip(3), pixels).float()
    pixels = F.avg_pool2d(pixels, blocks)  # (B, 3, T / blocks, T / blocks)
    points = landmarks.view(count, 5, 2)
    mirror_image = torch.stack([side - points[:, :, 0], points[:, :, 1]], dim=2)[:, torch.from_numpy(MIRRORED_ORDER)]
    points = torch.where(mirrored, mirror_image, points)
    eye_distance = (points[:, 1:2] - points[:, :1]).norm(dim=2, keepdim=True)  # (B, 1, 1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator).to(crops.device)

    # Heavy-tailed: most landmarks are slightly wrong, a few are very wrong.
    strength = torch.exp(0.5 * normal(1, 1))
    angle = normal(1) * config.rotation * (math.pi / 180) * strength[:, :, 0]  # (B, 1)
    scale = 1 + normal(1, 1) * config.scale * strength
    cos, sin = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack([cos, -sin, sin, cos], -1).view(count, 2, 2)
    centre = points.mean(dim=1, keepdim=True)
    shift = (normal(1, 2) * config.shift + normal(5, 2) * config.each) * strength * eye_distance
    initial = (points - centre) @ rotation * scale + centre + shift
    return RefinerBatch(pixels, (initial / blocks).flatten(1), (points / blocks).flatten(1))


@torch.inference_mode()
def validate(
    refiner: torch.nn.Module,
    crops: NDArray[np.uint8],
    landmarks: Tensor,
    config: GuessConfig,
    device: torch.device,
    batch_size: int = 512,
) -> dict[str, float]:
    """Measures the mean landmark error in eye distances, before and after refinement. The perturbations are fixed."""
    refiner.eval()
    generator = torch.Generator().manual_seed(0)
    before: list[Tensor] = []
    after: list[Tensor] = []
    for first in range(0, len(crops), batch_size):
        rows = slice(first, first + batch_size)
        pixels = torch.from_numpy(np.ascontiguousarray(crops[rows])).to(device)
        batch = make_batch(pixels, landmarks[rows].to(device), config, generator)
        refined = refiner(batch.pixels, batch.initial)
        for points, errors in ((batch.initial, before), (refined, after)):
            errors.append(batch.error(points).view(-1, 5, 2).norm(dim=2).mean(dim=1))
    error = torch.cat(after).mean().item()
    return {"score": 1 - error, "error": error, "error_before": torch.cat(before).mean().item()}
