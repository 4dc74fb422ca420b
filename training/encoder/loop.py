"""The training loop: a pair loss on balanced batches, averaged weights, early stop on people it never saw."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from training.config import Config
from training.data.augmentation import augment
from training.data.crops import PreparedFaces
from training.data.sampling import BalancedSampler
from training.data.splits import Split, person_numbers, rows_of
from training.encoder.factory import Encoder, new_anchors, new_encoder, new_loss
from training.metrics.verification import all_pairs, equal_error_rate
from training.optimization.checkpoint import TrainingState
from training.optimization.distributed import Team, pick_device
from training.optimization.progress import bar

# From the averaged weights and the rows of the validation people to figures, of which "score" chooses the weights.
Validation = Callable[[Encoder, PreparedFaces, NDArray[np.int64], float, torch.device], dict[str, float]]


def train(
    config: Config,
    faces: PreparedFaces,
    split: Split,
    run: Path,
    validation: Validation | None = None,
    team: Team | None = None,
) -> Path:
    """Trains, or resumes exactly where `run` left off, until the steps are done or validation stops improving.

    Writes last.pt (everything needed to resume) and best.pt (the averaged weights of the best validation: unless
    another is given, the TAR at `validate_fmr` over every pair of validation photos); returns the latter's path.
    """
    validation, team = validation or validate, team or Team()
    device = pick_device()
    settings = config.training
    torch.manual_seed(settings.seed)
    encoder = new_encoder(config).to(device)
    team.check(encoder, config.sampling.people * config.sampling.photos)
    state = TrainingState(encoder, config, team)
    rows = rows_of(faces.people, split.training)
    crops = torch.from_numpy(np.ascontiguousarray(faces.crops[rows]))  # (N, T, T, 3), in memory
    people = person_numbers([faces.people[row] for row in rows])
    # Of the starting weights, so before they are resumed.
    targets = new_anchors(encoder, faces, rows, people, config, device)
    held_out = rows_of(faces.people, split.validation)
    sampler = BalancedSampler(people, config.sampling.people, config.sampling.photos, settings.seed)
    run.mkdir(parents=True, exist_ok=True)
    state.resume(run / "last.pt", device)
    loss_of = new_loss(config, encoder)
    generator = torch.Generator()
    labels = torch.from_numpy(people)
    log = SummaryWriter(str(run), purge_step=state.step) if team.leads else None
    with bar(settings.steps, state.step, shown=team.leads) as advance:
        while state.step < settings.steps and state.stale < settings.patience:
            # Each step's randomness depends on the seed and the step alone: that makes resuming exact.
            generator.manual_seed(settings.seed * 1_000_003 + state.step)
            torch.manual_seed(settings.seed * 1_000_003 + state.step)
            batch = sampler.batch(state.step)
            pixels = augment(crops[batch].to(device), config.crops.size, config.augmentation, generator)  # (B, 3, S, S)
            encoder.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
                mine = encoder.embed(team.share(pixels))  # (B / size, D) float32
            embeddings = team.gather(mine.float())  # (B, D)
            loss = config.loss.weight * loss_of(embeddings, labels[batch].to(device))
            if targets is not None:
                loss = loss + config.loss.anchor_weight * (embeddings - targets[batch]).square().sum(dim=1).mean()
            state.descend(loss)
            if log:
                log.add_scalar("loss", loss.item(), state.step)
                log.add_scalar("learning_rate", state.optimizer.param_groups[0]["lr"], state.step)
            if state.step % settings.validate_every == 0 or state.step == settings.steps:
                fmr = settings.validate_fmr
                figures = team.tell(validation(state.average, faces, held_out, fmr, device) if team.leads else {})
                state.keep(figures, run)
                if log:
                    for name, value in figures.items():
                        log.add_scalar(f"validation/{name}", value, state.step)
            advance(len(batch), loss.item(), state.best)
    if log:
        log.close()
    return run / "best.pt"


@torch.inference_mode()
def embed_rows(
    encoder: torch.nn.Module, faces: PreparedFaces, rows: NDArray[np.int64], device: torch.device
) -> NDArray[np.float32]:
    """Unit vectors (n, D) of prepared faces, exactly as the service would encode them."""
    batches = [
        encoder(torch.from_numpy(faces.central(rows[start : start + 256])).to(device)).float().cpu().numpy()
        for start in range(0, len(rows), 256)
    ]
    return np.concatenate(batches)


def validate(
    encoder: Encoder, faces: PreparedFaces, rows: NDArray[np.int64], fmr: float, device: torch.device
) -> dict[str, float]:
    """Over every pair of the photos in `rows`: TAR at `fmr`, the score; TAR at round rates; equal error rate."""
    encoder.eval()
    vectors = embed_rows(encoder, faces, rows, device)
    pairs = all_pairs(vectors, person_numbers([faces.people[row] for row in rows]))
    return {
        "score": pairs.tar_at(fmr),
        "eer": equal_error_rate(pairs.genuine_histogram, pairs.impostor_histogram),
        **{f"tar_at_{each:g}": pairs.tar_at(each) for each in (1e-2, 1e-3, 1e-4)},
    }
