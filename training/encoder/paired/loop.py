"""Training of a paired encoder, from prepared faces to the best weights."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from model.encoder.paired import SIZE, PairedEncoder
from training.config import Config, ConfigError, HeadConfig
from training.data.errors import DataError
from training.data.faceless_crops import crop_anywhere
from training.data.photos import Photo
from training.data.prepared_faces import PreparedFaces
from training.data.sets.all_age_faces import parse_name, rows_of_part
from training.data.splits import Split, select_rows
from training.encoder.factory import create_encoder
from training.encoder.paired.branch_features import CLEAN, BranchFeatures, CropSet, crop_set
from training.encoder.paired.training import PairedCrops, PairedTraining, load_sources, start_layer
from training.encoder.paired.validation import PairedValidation
from training.optimization.distributed import pick_device
from training.optimization.loop import TrainingLoop

DEGRADED_PHOTOS: Final = 3  # of a person whose crops are degraded; each kind takes as long as the clean crops
DEGRADED_ADULTS: Final = 300  # of the validation strangers whose crops are degraded
DEGRADED_SHARE: Final = 3  # every how many-th impostor is degraded


@dataclass(frozen=True)
class PairedTrainer:
    """Trains paired encoders. `impostors`: crops of All-Age-Faces. `faceless`: photos without people.

    Features of crops are kept in `features`, so that several runs share them.
    """

    impostors: PreparedFaces
    faceless: tuple[Photo, ...]
    features: Path

    def train(self, config: Config, faces: PreparedFaces, split: Split, run: Path) -> Path:
        """Trains, or resumes `run`, until the steps are done or validation stops improving.

        Returns the path of best.pt. Raises ConfigError if `run` was made with another config, and DataError if there
        are too few people.
        """
        encoder = create_encoder(config)
        if not isinstance(encoder, PairedEncoder) or config.head is None:
            raise ConfigError(f'{config.name} trains no paired encoder. Set architecture = "paired" in [network].')
        device = pick_device()
        features = BranchFeatures(encoder.branches, self.features, device, config.training.precision == "bf16")
        encoder.cpu()  # the layers over the features are small
        encoder.branches.requires_grad_(False)
        crops = self._choose_crops(config.head, faces, split)
        sources = load_sources(features, crops, degraded=config.head.degraded_weight > 0)
        known = torch.cat([sources.people.features[CLEAN], sources.impostors.features[CLEAN]])
        start_layer(encoder, config.head.retail_share, known)
        training = PairedTraining(encoder, config, config.head, sources)
        strangers = self._rows("validation")
        adults = np.array([row for row in strangers if parse_name(self.impostors.names[row]).is_adult], np.int64)
        validation = PairedValidation(
            crop_set("lfw-validation", faces, select_rows(faces.people, split.validation)),
            crop_set("impostors-validation", self.impostors, strangers),
            crop_set(
                "impostors-validation-degraded", self.impostors, adults[:: max(len(adults) // DEGRADED_ADULTS, 1)]
            ),
            features,
            config.training.validate_fmr,
        )
        loop = TrainingLoop(encoder, config, run, torch.device("cpu"))
        batch_size = config.sampling.people * config.sampling.photos + config.head.impostors_per_batch
        return loop.run(lambda step, _: training.compute(step), validation, batch_size)

    def _choose_crops(self, head: HeadConfig, faces: PreparedFaces, split: Split) -> PairedCrops:
        people = at_most(faces.people, select_rows(faces.people, split.training), head.most_photos)
        photos = Counter(faces.people[row] for row in people)
        several = np.array([row for row in people if photos[faces.people[row]] > 1], np.int64)
        ages = [parse_name(name).age for name in self.impostors.names]
        strangers = np.array([row for row in self._rows("training") if ages[row] >= head.least_age], np.int64)
        if not len(several) or not len(strangers) or not self.faceless:
            raise DataError(
                "Training needs people with two photos, people of All-Age-Faces, and photos without people. "
                "docs/training.md says where they come from."
            )
        faceless = crop_anywhere(self.faceless, SIZE, seed=0)
        return PairedCrops(
            crop_set("lfw-training", faces, people),
            crop_set("impostors-training", self.impostors, strangers),
            crop_set("lfw-degraded", faces, at_most(faces.people, several, DEGRADED_PHOTOS)),
            crop_set("impostors-degraded", self.impostors, strangers[::DEGRADED_SHARE]),
            CropSet("faceless", tuple(f"{row}/{row}.jpg" for row in range(len(faceless))), faceless),
        )

    def _rows(self, part: str) -> NDArray[np.int64]:
        return np.array(rows_of_part(self.impostors.names, part), np.int64)  # type: ignore[arg-type]


def at_most(people: list[str], rows: NDArray[np.int64], photos: int) -> NDArray[np.int64]:
    """The rows without those after the first `photos` of each person; `people` names the person of every row."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        seen[people[row]] += 1
        if seen[people[row]] <= photos:
            kept.append(row)
    return np.array(kept, np.int64)
