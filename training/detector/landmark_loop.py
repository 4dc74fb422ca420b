"""Training of the second look at each face: from landmarks that are somewhat wrong to those of the teacher.

Whatever found the face, only its landmarks come in, so these are drawn about the true ones, and the refiner is trained
by itself.
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
from torch.utils.tensorboard import SummaryWriter

from model.alignment import similarity_transform
from model.detector.landmark_refiner import LandmarkRefiner
from training.config import CropConfig
from training.data.augmentation import disturb
from training.data.crops import PreparedFaces, margined_template
from training.data.splits import rows_of
from training.detector.composites.composer import MIRRORED
from training.detector.config import GuessConfig, LandmarkConfig
from training.optimization.checkpoint import TrainingState
from training.optimization.distributed import Team, pick_device
from training.optimization.progress import bar

EXACT: Final = 0.02  # distances between the eyes within which an error weighs less and less


@dataclass(frozen=True)
class Guesses:
    """A batch: the photos around faces, float (B, 3, H, W), landmarks to start from and the true ones, (B, 10)."""

    pixels: Tensor
    start: Tensor
    true: Tensor

    def error(self, landmarks: Tensor) -> Tensor:
        """Of landmarks (B, 10), each coordinate, in distances between the eyes."""
        eyes: Tensor = torch.linalg.vector_norm(self.true[:, 2:4] - self.true[:, :2], dim=1, keepdim=True)
        return (landmarks - self.true) / eyes


def train_refiner(
    config: LandmarkConfig, faces: PreparedFaces, learned: frozenset[str], held_out: frozenset[str], run: Path
) -> Path:
    """Trains on the crops of the people `learned`, or resumes where `run` left off. Writes last.pt and best.pt (the
    averaged weights of the best validation: the mean error on the people `held_out`); returns the latter's path."""
    device = pick_device()
    settings = config.training
    torch.manual_seed(settings.seed)
    refiner = LandmarkRefiner(config.width).to(device)
    state = TrainingState(refiner, config, Team())
    run.mkdir(parents=True, exist_ok=True)
    state.resume(run / "last.pt", device)
    true = torch.from_numpy(true_landmarks(faces, config.crops))
    rows, others = rows_of(faces.people, learned), rows_of(faces.people, held_out)
    crops = torch.from_numpy(np.ascontiguousarray(faces.crops[rows]))  # (N, T, T, 3), in memory
    log = SummaryWriter(str(run), purge_step=state.step)
    generator = torch.Generator()
    with bar(settings.steps, state.step) as advance:
        while state.step < settings.steps and state.stale < settings.patience:
            generator.manual_seed(settings.seed * 1_000_003 + state.step)
            chosen = torch.randint(len(crops), (config.batch,), generator=generator)
            batch = guesses(crops[chosen].to(device), true[rows][chosen].to(device), config.guess, generator)
            refiner.train()
            seen = disturb(refiner.crops(batch.pixels, batch.start), config.augmentation, generator)
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
                apart = refiner.apart(seen)
            error = batch.error(refiner.back(apart.float(), batch.start))
            loss = F.smooth_l1_loss(error, torch.zeros_like(error), beta=EXACT)
            state.descend(loss)
            log.add_scalar("loss", loss.item(), state.step)
            if state.step % settings.validate_every == 0 or state.step == settings.steps:
                figures = validate(state.average, faces.crops[others], true[others], config.guess, device)
                state.keep(figures, run)
                for name, value in figures.items():
                    log.add_scalar(f"validation/{name}", value, state.step)
            advance(len(chosen), loss.item(), state.best)
    log.close()
    return run / "best.pt"


def true_landmarks(faces: PreparedFaces, config: CropConfig) -> NDArray[np.float32]:
    """Where the teacher's landmarks lie in the crops, (N, 10) in their pixels."""
    template = margined_template(config)
    placed = []
    for landmarks in faces.landmarks:
        linear = similarity_transform(landmarks, template)
        placed.append((landmarks @ linear[:, :2].T + linear[:, 2]).ravel())
    return np.array(placed, np.float32)


def guesses(crops: Tensor, true: Tensor, config: GuessConfig, generator: torch.Generator) -> Guesses:
    """Crops, uint8 (B, T, T, 3), and their landmarks (B, 10) -> a batch: at one size drawn for all, each mirrored or
    not, its landmarks wrong by chance."""
    count, side = len(crops), crops.shape[1]
    blocks = int(torch.randint(1, config.blocks + 1, (), generator=generator))
    mirrored = (torch.rand(count, 1, 1, generator=generator) < 0.5).to(crops.device)
    pixels = crops.permute(0, 3, 1, 2)
    pixels = torch.where(mirrored[..., None], pixels.flip(3), pixels).float()
    pixels = F.avg_pool2d(pixels, blocks)  # (B, 3, T / blocks, T / blocks)
    points = true.view(count, 5, 2)
    turned = torch.stack([side - points[:, :, 0], points[:, :, 1]], dim=2)[:, torch.from_numpy(MIRRORED)]
    points = torch.where(mirrored, turned, points)
    eyes = (points[:, 1:2] - points[:, :1]).norm(dim=2, keepdim=True)  # (B, 1, 1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator).to(crops.device)

    # Some are hardly wrong, a few are very much so.
    much = torch.exp(0.5 * normal(1, 1))
    angle = normal(1) * config.rotation * (math.pi / 180) * much[:, :, 0]  # (B, 1)
    scale = 1 + normal(1, 1) * config.scale * much
    turn = torch.stack([torch.cos(angle), -torch.sin(angle), torch.sin(angle), torch.cos(angle)], -1).view(count, 2, 2)
    middle = points.mean(dim=1, keepdim=True)
    shift = (normal(1, 2) * config.shift + normal(5, 2) * config.each) * much * eyes
    start = (points - middle) @ turn * scale + middle + shift
    return Guesses(pixels, (start / blocks).flatten(1), (points / blocks).flatten(1))


@torch.inference_mode()
def validate(
    refiner: torch.nn.Module,
    crops: NDArray[np.uint8],
    true: Tensor,
    config: GuessConfig,
    device: torch.device,
    batch: int = 512,
) -> dict[str, float]:
    """The mean distance of a landmark, in distances between the eyes, and that of what came in; guesses always the
    same."""
    refiner.eval()
    generator = torch.Generator().manual_seed(0)
    before: list[Tensor] = []
    after: list[Tensor] = []
    for first in range(0, len(crops), batch):
        some = torch.from_numpy(np.ascontiguousarray(crops[first : first + batch])).to(device)
        each = guesses(some, true[first : first + batch].to(device), config, generator)
        for landmarks, errors in ((each.start, before), (refiner(each.pixels, each.start), after)):
            errors.append(each.error(landmarks).view(-1, 5, 2).norm(dim=2).mean(dim=1))
    error = torch.cat(after).mean().item()
    return {"score": 1 - error, "error": error, "error_before": torch.cat(before).mean().item()}
