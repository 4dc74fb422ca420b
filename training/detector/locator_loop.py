"""Training of the locator, the network that finds faces, on composites that threads make in the background."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from model.detector.network import FaceLocator
from model.images import Pixels
from training.data.augmentation import augment_photometric
from training.detector.composites.composer import Composer
from training.detector.composites.composite import Composite
from training.detector.composites.public_pictures import load_public_pictures
from training.detector.config import DetectorConfig
from training.detector.loss import detection_loss
from training.detector.metrics import Detections, measure
from training.detector.pseudo_labels import LabelledPhotos
from training.optimization.distributed import pick_device
from training.optimization.loop import TrainingLoop

LEAST_SCORE: Final = 0.5  # of the detections that a validation counts


def train_locator(config: DetectorConfig, training: LabelledPhotos, validation: LabelledPhotos, run: Path) -> Path:
    """Trains, or resumes `run`, until the steps are done or validation stops improving. Returns the path of best.pt.

    The score of a validation is the recall, less the false positives per photo, less ten times the median landmark
    error: alignment depends on the landmarks. Raises ConfigError if `run` was made with another config.
    """
    device = pick_device()
    settings = config.training
    torch.manual_seed(settings.seed)
    network = FaceLocator(config.network.width).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    loop = TrainingLoop(network, config, run, device)
    faceless = load_public_pictures(config.composites.pictures)
    composer = Composer(training, config.composites, config.people.least_score, settings.seed, faceless)

    with closing(_compose_batches(composer, config.batch, loop.step, settings.steps)) as batches:

        def compute_loss(step: int, generator: torch.Generator) -> Tensor:
            batch = next(batches)
            pixels = torch.from_numpy(np.stack([each.pixels for each in batch])).to(device)
            pixels = pixels.permute(0, 3, 1, 2).float()  # (B, 3, S, S)
            with loop.autocast():
                maps = network.maps(augment_photometric(pixels, config.augmentation, generator))
            return detection_loss(
                [each.float() for each in maps],
                [torch.from_numpy(each.faces).to(device) for each in batch],
                [torch.from_numpy(each.ignored).to(device) for each in batch],
                config.network.box_weight,
                config.network.landmark_weight,
            )

        return loop.run(compute_loss, lambda averaged: validate(averaged, validation, device), config.batch)


def validate(network: torch.nn.Module, labels: LabelledPhotos, device: torch.device) -> dict[str, float]:
    """Measures the network on whole photos, without augmentation."""
    network.eval()
    metrics = measure(lambda image: detect(network, image, device, LEAST_SCORE), labels, LEAST_SCORE)
    return {
        "score": metrics.recall - metrics.false_positives - 10 * metrics.landmark_error,
        "recall": metrics.recall,
        "false_positives": metrics.false_positives,
        "landmark_error": metrics.landmark_error,
        "landmark_error_95": metrics.landmark_error_95,
    }


@torch.inference_mode()
def detect(network: torch.nn.Module, image: Pixels, device: torch.device, least_score: float) -> Detections:
    """Returns the faces (F, 15) of one photo, uint8 (H, W, 3)."""
    faces: Tensor = network(torch.from_numpy(np.ascontiguousarray(image))[None].to(device), least_score)[0]
    return np.asarray(faces.cpu().numpy(), np.float32)


def _compose_batches(composer: Composer, size: int, first: int, end: int) -> Generator[list[Composite], None, None]:
    """Yields the batches of the steps `first` to `end` - 1. Two batches are composed ahead."""
    with ThreadPoolExecutor() as pool:
        pending = [
            [pool.submit(composer.compose, step * size + place) for place in range(size)]
            for step in range(first, min(first + 2, end))
        ]
        for step in range(first, end):
            batch = [future.result() for future in pending.pop(0)]
            if step + 2 < end:
                pending.append([pool.submit(composer.compose, (step + 2) * size + place) for place in range(size)])
            yield batch
