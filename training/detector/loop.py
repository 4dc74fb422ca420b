"""The detector's training loop: composites made while the network learns from the last ones."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from model.detector.network import FaceLocator
from model.images import Pixels
from training.data.augmentation import disturb
from training.detector.composites.composer import Composer, Composite
from training.detector.composites.public_pictures import public_pictures
from training.detector.config import DetectorConfig
from training.detector.loss import detection_loss
from training.detector.metrics import Faces, measure
from training.detector.pseudo_labels import TaughtPhotos
from training.optimization.checkpoint import TrainingState
from training.optimization.distributed import Team, pick_device
from training.optimization.progress import bar

SCORE = 0.5  # from which on a face counts in validation


def train(config: DetectorConfig, learned: TaughtPhotos, held_out: TaughtPhotos, run: Path) -> Path:
    """Trains, or resumes where `run` left off, until the steps are done or validation stops improving.

    Writes last.pt and best.pt (the averaged weights of the best validation: the recall on the held-out photos less the
    false positives a photo and ten times the median landmark error, since alignment rests on landmarks); returns the
    latter's path.
    """
    device = pick_device()
    settings = config.training
    torch.manual_seed(settings.seed)
    network = FaceLocator(config.network.width).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = TrainingState(network, config, Team())
    run.mkdir(parents=True, exist_ok=True)
    state.resume(run / "last.pt", device)
    faceless = public_pictures(config.composites.pictures)
    composer = Composer(learned, config.composites, config.people.least_score, settings.seed, faceless)
    log = SummaryWriter(str(run), purge_step=state.step)
    generator = torch.Generator()
    with bar(settings.steps, state.step) as advance:
        for batch in _batches(composer, config.batch, state.step, settings.steps):
            if state.stale >= settings.patience:
                break
            generator.manual_seed(settings.seed * 1_000_003 + state.step)
            pictures = np.stack([each.pixels for each in batch])
            pixels = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float()  # (B, 3, S, S)
            network.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
                maps = network.maps(disturb(pixels, config.augmentation, generator))
            loss = detection_loss(
                [each.float() for each in maps],
                [torch.from_numpy(each.faces).to(device) for each in batch],
                [torch.from_numpy(each.unsure).to(device) for each in batch],
                config.network.box_weight,
                config.network.landmark_weight,
            )
            state.descend(loss)
            log.add_scalar("loss", loss.item(), state.step)
            if state.step % settings.validate_every == 0 or state.step == settings.steps:
                figures = validate(state.average, held_out, device)
                state.keep(figures, run)
                for name, value in figures.items():
                    log.add_scalar(f"validation/{name}", value, state.step)
            advance(len(batch), loss.item(), state.best)
    log.close()
    return run / "best.pt"


def validate(network: torch.nn.Module, held_out: TaughtPhotos, device: torch.device) -> dict[str, float]:
    """On whole photos, as they are."""
    network.eval()
    found = measure(lambda image: locate(network, image, device, SCORE), held_out, SCORE)
    return {
        "score": found.recall - found.false_positives - 10 * found.landmark_error,
        "recall": found.recall,
        "false_positives": found.false_positives,
        "landmark_error": found.landmark_error,
        "landmark_error_95": found.landmark_error_95,
    }


@torch.inference_mode()
def locate(network: torch.nn.Module, image: Pixels, device: torch.device, least_score: float) -> Faces:
    """The faces (F, 15) of one photo, uint8 (H, W, 3)."""
    answer: Tensor = network(torch.from_numpy(np.ascontiguousarray(image))[None].to(device), least_score)[0]
    return np.asarray(answer.cpu().numpy(), np.float32)


def _batches(composer: Composer, size: int, first: int, last: int) -> Iterator[list[Composite]]:
    """The composites of each step, made two batches ahead: those of a step depend on its number alone."""
    with ThreadPoolExecutor() as pool:
        waiting = [
            [pool.submit(composer.composite, step * size + place) for place in range(size)]
            for step in range(first, min(first + 2, last))
        ]
        for step in range(first, last):
            batch = [future.result() for future in waiting.pop(0)]
            if step + 2 < last:
                waiting.append([pool.submit(composer.composite, (step + 2) * size + place) for place in range(size)])
            yield batch
