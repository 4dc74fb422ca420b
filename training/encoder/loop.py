"""Training of the encoder: a pair loss on balanced batches, validated on people who do not train."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.encoder.paired import PairedEncoder
from training.config import Config, ConfigError
from training.data.augmentation import augment
from training.data.errors import DataError
from training.data.prepared_faces import PreparedFaces
from training.data.sampling import BalancedSampler
from training.data.splits import Split, label_people, select_rows
from training.encoder.factory import Encoder, create_distillation_targets, create_encoder, create_loss
from training.metrics.verification import compare_all_pairs, equal_error_rate
from training.optimization.distributed import ProcessGroup, pick_device
from training.optimization.loop import TrainingLoop

# From the averaged encoder, the faces, the rows of the validation people, an FMR and the device to metrics. "score"
# chooses the weights.
EncoderValidation = Callable[[Encoder, PreparedFaces, NDArray[np.int64], float, torch.device], dict[str, float]]


def train(
    config: Config,
    faces: PreparedFaces,
    split: Split,
    run: Path,
    validation: EncoderValidation | None = None,
    group: ProcessGroup | None = None,
) -> Path:
    """Trains, or resumes `run`, until the steps are done or validation stops improving. Returns the path of best.pt.

    By default the score of a validation is the TAR at `validate_fmr` over all pairs of the validation photos. Raises
    ConfigError if `run` was made with another config, or if `group` cannot divide the batches, and DataError if the
    validation people have no genuine or no impostor pair.
    """
    validation, group = validation or validate, group or ProcessGroup()
    device = pick_device()
    settings = config.training
    batch_size = config.sampling.people * config.sampling.photos
    torch.manual_seed(settings.seed)
    created = create_encoder(config)
    if isinstance(created, PairedEncoder) or config.augmentation is None:
        raise ConfigError(f"{config.name} trains a paired encoder, whose training is another one.")
    encoder, augmentation = created.to(device), config.augmentation
    group.check(encoder, batch_size)
    rows = select_rows(faces.people, split.training)
    held_out = select_rows(faces.people, split.validation)
    if validation is validate:
        _check_pairs([faces.people[row] for row in held_out])
    crops = torch.from_numpy(np.ascontiguousarray(faces.crops[rows]))  # (N, T, T, 3), in memory
    people = label_people([faces.people[row] for row in rows])
    labels = torch.from_numpy(people)
    # The targets come from the initial weights, so they are computed before the loop resumes.
    targets = create_distillation_targets(encoder, faces, rows, people, config, device)
    sampler = BalancedSampler(people, config.sampling.people, config.sampling.photos, settings.seed)
    loop = TrainingLoop(encoder, config, run, device, group)
    pair_loss = create_loss(config, encoder)

    def compute_loss(step: int, generator: torch.Generator) -> Tensor:
        batch = sampler.batch(step)
        pixels = augment(crops[batch].to(device), config.crops.size, augmentation, generator)  # (B, 3, S, S)
        with loop.autocast():
            shard = encoder.embed(group.shard(pixels))  # (B / world_size, D)
        embeddings = group.all_gather(shard.float())  # (B, D)
        loss: Tensor = config.loss.weight * pair_loss(embeddings, labels[batch].to(device))
        if targets is not None:
            loss = loss + config.loss.distillation_weight * (embeddings - targets[batch]).square().sum(dim=1).mean()
        return loss

    def validate_averaged(averaged: Encoder) -> dict[str, float]:
        return validation(averaged, faces, held_out, settings.validate_fmr, device)

    return loop.run(compute_loss, validate_averaged, batch_size)


def _check_pairs(people: Sequence[str]) -> None:
    photos = Counter(people)
    if len(photos) < 2 or max(photos.values()) < 2:
        raise DataError(
            f"There are {len(people)} photos of {len(photos)} validation people. Choosing the weights needs at least "
            "two people, one of them with two photos: add photos, or change the validation people in the config."
        )


@torch.inference_mode()
def embed_rows(
    encoder: torch.nn.Module, faces: PreparedFaces, rows: NDArray[np.int64], device: torch.device
) -> NDArray[np.float32]:
    """Embeds prepared faces as the service would: unit vectors (n, D)."""
    batches = []
    for start in range(0, len(rows), 256):
        outputs = encoder(torch.from_numpy(faces.without_margin(rows[start : start + 256])).to(device))
        vectors: Tensor = outputs if isinstance(outputs, Tensor) else outputs[0]
        batches.append(vectors.float().cpu().numpy())
    return np.concatenate(batches)


def validate(
    encoder: Encoder, faces: PreparedFaces, rows: NDArray[np.int64], fmr: float, device: torch.device
) -> dict[str, float]:
    """Measures all pairs of the photos in `rows`: the TAR at `fmr` as the score, the TAR at other FMRs and the EER."""
    encoder.eval()
    vectors = embed_rows(encoder, faces, rows, device)
    pairs = compare_all_pairs(vectors, label_people([faces.people[row] for row in rows]))
    return {
        "score": pairs.tar_at(fmr),
        "eer": equal_error_rate(pairs.genuine_histogram, pairs.impostor_histogram),
        **{f"tar_at_{each:g}": pairs.tar_at(each) for each in (1e-2, 1e-3, 1e-4)},
    }
