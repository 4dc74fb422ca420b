"""Export of the best checkpoints as the detector's file, with thresholds and reference landmarks."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from model.detector.bundle import SCHEMA, LocatorBundle, LocatorMetadata, create_locator
from model.detector.finder import FaceFinder
from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator
from model.images import Pixels
from training.detector.composites.public_pictures import load_public_pictures
from training.detector.config import DetectorConfig, LandmarkConfig
from training.detector.locator_loop import detect
from training.detector.pseudo_labels import LabelledPhotos
from training.detector.reference_landmarks import fit_reference_landmarks, scale_landmarks
from training.encoder.export import LICENCES
from training.optimization.checkpoint import BEST, load_best_checkpoint, load_weights
from training.provenance import describe_machine

CPU: Final = torch.device("cpu")


@dataclass(frozen=True)
class TrainedDetector:
    """A network with the best weights, and the checkpoints, without weights, that they come from."""

    network: FaceFinder
    locator: Mapping[str, Any]
    landmarks: Mapping[str, Any]


def load_trained_detector(config: DetectorConfig, landmarks: LandmarkConfig, runs: Path) -> TrainedDetector:
    """Loads the best weights of both training runs below `runs`.

    Raises ConfigError if a checkpoint is missing, damaged or made with another config.
    """
    locator_run = load_best_checkpoint(config, runs / config.name, "python -m training detector train")
    refiner_run = load_best_checkpoint(landmarks, runs / landmarks.name, "python -m training detector landmarks")
    locator, refiner = FaceLocator(config.network.width), LandmarkRefiner(landmarks.width)
    load_weights(locator, locator_run.pop("encoder"), runs / config.name / BEST)
    load_weights(refiner, refiner_run.pop("encoder"), runs / landmarks.name / BEST)
    return TrainedDetector(FaceFinder(locator, refiner).eval(), locator_run, refiner_run)


def export_detector(
    config: DetectorConfig,
    landmarks: LandmarkConfig,
    training: LabelledPhotos,
    validation: LabelledPhotos,
    runs: Path,
    target: Path,
    command: str,
) -> LocatorBundle:
    """Writes the detector's file. The reference landmarks are fitted on the validation photos.

    Raises ConfigError as `load_trained_detector` does, and DataError if the detector finds no face.
    """
    trained, scores = load_trained_detector(config, landmarks, runs), config.scores
    detections = [detect(trained.network, validation.decode(row), CPU, scores.least) for row in range(len(validation))]
    reference = scale_landmarks(fit_reference_landmarks(detections, validation.faces), config.alignment.scale)
    metadata = LocatorMetadata(
        schema=SCHEMA,
        name=config.name,
        version=config.version,
        detector_id="",
        least_score=scores.least,
        last_score=scores.last,
        sure_score=scores.sure,
        turned_score=scores.turned,
        reference_landmarks=tuple((float(x), float(y)) for x, y in reference.round(2)),
        architecture={
            "width": config.network.width,
            "refiner_width": landmarks.width,
            "parameters": sum(p.numel() for p in trained.network.parameters()),
        },
        training={
            "command": command,
            "config": asdict(config),
            "landmarks": {"config": asdict(landmarks), **_summarise(trained.landmarks)},
            "data": "Labeled Faces in the Wild (Huang et al. 2007), people of peopleDevTrain; faces found by MTCNN",
            "licence": LICENCES["lfw"],
            "people": len({photo.person for photo in training.photos}),
            "photos": len(training),
            "machine": describe_machine(),
            **_summarise(trained.locator),
        },
        git_commit=trained.locator["commit"],
        torch_version=torch.__version__,
    )
    return create_locator(target, trained.network, metadata, make_golden_photo())


def _summarise(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "commit": checkpoint["commit"],
        "best_step": checkpoint["step"],
        "seconds": round(checkpoint["seconds"]),
        "validation": checkpoint["history"][-1],
    }


def make_golden_photo() -> Pixels:
    """Returns a portrait of Eileen Collins (NASA, public domain), uint8 (192, 192, 3)."""
    (astronaut,) = load_public_pictures(["astronaut.png"])
    portrait = Image.fromarray(astronaut).crop((96, 0, 352, 256))
    return np.array(portrait.resize((192, 192), Image.Resampling.LANCZOS))
