"""How an experiment's encoder trains: on augmented crops, or over the branches of a paired encoder."""

from pathlib import Path

from training.config import ConfigError
from training.data.splits import Split
from training.detector.config import DETECTOR_CONFIG, load_detector_config
from training.detector.splits import split_other_photos
from training.encoder.loop import train
from training.encoder.paired.loop import PairedTrainer
from training.experiment import Experiment
from training.optimization.distributed import ProcessGroup


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
