"""Training of the refiner: landmarks of faces, and faces against what only looks like one.

The refiner does not depend on YuNet's landmarks being good: it starts from true landmarks that are perturbed at random,
or from those of the candidates that are no faces.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from model.detector.crop_sampler import CropSampler
from model.detector.face_refiner import FaceRefiner
from model.face import MIRRORED_ORDER
from training.data.augmentation import augment_photometric
from training.data.errors import DataError
from training.detector.candidates import Candidates
from training.detector.config import DetectorConfig, GuessConfig
from training.optimization.distributed import pick_device
from training.optimization.loop import TrainingLoop

SMOOTH_L1_BETA: Final = 0.02  # eye distances


@dataclass(frozen=True)
class RefinerBatch:
    """Patches, float (B, 3, H, W), and the landmarks to start from and to find, (B, 10) in pixels."""

    pixels: Tensor
    initial: Tensor
    target: Tensor

    def error(self, landmarks: Tensor) -> Tensor:
        """The error of each coordinate of landmarks (B, 10), in eye distances."""
        eye_distance: Tensor = torch.linalg.vector_norm(self.target[:, 2:4] - self.target[:, :2], dim=1, keepdim=True)
        return (landmarks - self.target) / eye_distance.clamp_min(1.0)


def train_refiner(config: DetectorConfig, training: Candidates, validation: Candidates, run: Path) -> Path:
    """Trains on one set of candidates, or resumes `run`. Returns the path of best.pt.

    The score of a validation is 1 less the mean landmark error, less the share of wrong answers to 'is it a face?'.
    Raises ConfigError if `run` was made with another config, and DataError if a set lacks faces or non-faces.
    """
    for each in (training, validation):
        if not each.has_landmarks.any() or each.is_face.all():
            raise DataError("The candidates are all faces, or none has landmarks. Check the photos and the lists.")
    device = pick_device()
    torch.manual_seed(config.training.seed)
    refiner, sampler = FaceRefiner(config.width).to(device), CropSampler().to(device)
    loop = TrainingLoop(refiner, config, run, device)
    easy, hard = training.has_landmarks, training.is_face & ~training.has_landmarks
    groups = [torch.from_numpy(np.flatnonzero(each)) for each in (easy, hard, ~training.is_face)]
    patches, landmarks = torch.from_numpy(training.patches), torch.from_numpy(training.landmarks)
    known = torch.from_numpy(training.has_landmarks)
    shares = split_batch(config.batch, config.hard_share if len(groups[1]) else 0.0)

    def compute_loss(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.cat(
            [
                rows[torch.randint(len(rows), (count,), generator=generator)]
                for rows, count in zip(groups, shares, strict=True)
                if count
            ]
        )
        batch = make_batch(patches[chosen].to(device), landmarks[chosen].to(device), config.guess, generator)
        inputs = sampler(batch.pixels, batch.initial)
        inputs = augment_photometric(inputs, config.augmentation, generator)
        with loop.autocast():
            values = refiner(inputs)
        values = values.float()
        is_known = known[chosen].to(device)
        error = batch.error(sampler.to_photo(values[:, :-1], batch.initial))[is_known]
        landmark_loss = F.smooth_l1_loss(error, torch.zeros_like(error), beta=SMOOTH_L1_BETA)
        truth = torch.ones(len(chosen), device=device)
        truth[-shares[2] :] = 0.0
        return landmark_loss + config.face_weight * F.binary_cross_entropy_with_logits(values[:, -1], truth)

    def validate_averaged(averaged: FaceRefiner) -> dict[str, float]:
        return validate(averaged, sampler, validation, config.guess, device)

    return loop.run(compute_loss, validate_averaged, config.batch)


def split_batch(batch: int, hard_share: float) -> tuple[int, int, int]:
    """How many examples of a batch are faces with landmarks, faces without, and non-faces, which are a half."""
    faces = batch // 2
    hard = round(faces * hard_share)
    return faces - hard, hard, batch - faces


def make_batch(crops: Tensor, landmarks: Tensor, config: GuessConfig, generator: torch.Generator) -> RefinerBatch:
    """Makes a batch of patches, uint8 (B, T, T, 3), with their landmarks (B, 10).

    The patches are shrunk by one random factor. Each is mirrored or not, and its initial landmarks are perturbed.
    """
    count, side = len(crops), crops.shape[1]
    blocks = int(torch.randint(1, config.blocks + 1, (), generator=generator))
    mirrored = (torch.rand(count, 1, 1, generator=generator) < 0.5).to(crops.device)
    pixels = crops.permute(0, 3, 1, 2)
    pixels = torch.where(mirrored[..., None], pixels.flip(3), pixels).float()
    pixels = F.avg_pool2d(pixels, blocks)  # (B, 3, T / blocks, T / blocks)
    points = landmarks.view(count, 5, 2)
    mirror_image = torch.stack([side - points[:, :, 0], points[:, :, 1]], dim=2)[:, list(MIRRORED_ORDER)]
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
    sampler: CropSampler,
    candidates: Candidates,
    config: GuessConfig,
    device: torch.device,
    batch_size: int = 512,
) -> dict[str, float]:
    """Measures the mean landmark error in eye distances, before and after refinement, and the share of wrong answers.

    The perturbations are fixed. Faces and non-faces count alike in the share.
    """
    refiner.eval()
    generator = torch.Generator().manual_seed(0)
    before: list[Tensor] = []
    after: list[Tensor] = []
    logits: list[Tensor] = []
    for first in range(0, len(candidates), batch_size):
        rows = slice(first, first + batch_size)
        patches, landmarks, known = (
            torch.from_numpy(each[rows]).to(device)
            for each in (candidates.patches, candidates.landmarks, candidates.has_landmarks)
        )
        batch = make_batch(patches, landmarks, config, generator)
        values = refiner(sampler(batch.pixels, batch.initial))
        refined = sampler.to_photo(values[:, :-1], batch.initial)
        for points, errors in ((batch.initial, before), (refined, after)):
            errors.append(batch.error(points)[known].view(-1, 5, 2).norm(dim=2).mean(dim=1))
        logits.append(values[:, -1])
    answers = torch.cat(logits).cpu().numpy() >= 0
    wrong = [float((answers[candidates.is_face == truth] != truth).mean()) for truth in (True, False)]
    error = torch.cat(after).mean().item()
    return {
        "score": 1 - error - sum(wrong) / 2,
        "error": error,
        "error_before": torch.cat(before).mean().item(),
        "faces_refused": wrong[0],
        "others_accepted": wrong[1],
    }
