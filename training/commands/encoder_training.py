"""How an experiment's encoder trains: on augmented crops, or over the branches of a paired encoder."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.encoder.paired import PairedEncoder
from training.config import ConfigError
from training.data.prepared_faces import PreparedFaces
from training.data.splits import Split
from training.detector.config import DETECTOR_CONFIG, load_detector_config
from training.detector.splits import split_other_photos
from training.encoder.factory import Encoder
from training.encoder.loop import embed_rows, train
from training.encoder.paired.branch_features import BranchFeatures, crop_set
from training.encoder.paired.loop import PairedTrainer
from training.experiment import Experiment
from training.optimization.distributed import ProcessGroup, pick_device


def train_experiment(experiment: Experiment, split: Split, run: Path, group: ProcessGroup | None = None) -> Path:
    """Trains, or resumes `run`, on the people of `split`. Returns the path of best.pt.

    Raises what `train` and `PairedTrainer.train` raise, and ConfigError for a paired encoder on several processes.
    """
    config = experiment.config
    if config.head is None:
        return train(config, experiment.faces, split, run, group=group)
    if group is not None and group.world_size > 1:
        raise ConfigError(f"{config.name} trains in minutes in one process. Run it without torchrun.")
    faceless = split_other_photos(load_detector_config(DETECTOR_CONFIG), experiment.data)["training"].no_faces
    trainer = PairedTrainer(experiment.impostors, faceless, experiment.build / "features")
    return trainer.train(config, experiment.faces, split, run)


def embed_with_features(
    experiment: Experiment, encoder: Encoder, faces: PreparedFaces, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The unit vectors (n, D) of these rows, for a paired encoder from the features that are kept for every run."""
    device = pick_device()
    if not isinstance(encoder, PairedEncoder):
        return embed_rows(encoder.to(device), faces, rows, device)
    bf16 = experiment.config.training.precision == "bf16"
    features = BranchFeatures(encoder.branches, experiment.build / "features", device, bf16)
    with torch.inference_mode():
        return encoder.cpu().embed_features(torch.from_numpy(features.compute(crop_set("served", faces, rows)))).numpy()
