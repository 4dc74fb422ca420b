"""The best checkpoints -> the detector's file, with its thresholds and the frame of its landmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model.alignment import CHIP_SIZE, chip_template, similarity_transform
from model.detector.bundle import SCHEMA, LocatorBundle, LocatorMetadata, create_locator
from model.detector.finder import FaceFinder
from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator
from model.images import Pixels
from training.detector.composites.public_pictures import public_pictures
from training.detector.config import DetectorConfig, LandmarkConfig
from training.detector.loop import locate
from training.detector.metrics import Faces, matches
from training.detector.pseudo_labels import TaughtPhotos
from training.detector.reference_landmarks import scaled
from training.encoder.export import LICENCES
from training.optimization.checkpoint import best_checkpoint
from training.provenance import machine

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Trained:
    """The two trainings of the detector, as noted in their checkpoints."""

    finder: FaceFinder
    locator: Mapping[str, Any]
    landmarks: Mapping[str, Any]


def best_finder(config: DetectorConfig, landmarks: LandmarkConfig, runs: Path) -> Trained:
    """The best weights of both runs. Raises ConfigError without a checkpoint of either config."""
    first = best_checkpoint(config, runs / config.name, "python -m training detector train")
    second = best_checkpoint(landmarks, runs / landmarks.name, "python -m training detector landmarks")
    locator, refiner = FaceLocator(config.network.width), LandmarkRefiner(landmarks.width)
    locator.load_state_dict(first.pop("encoder"))
    refiner.load_state_dict(second.pop("encoder"))
    return Trained(FaceFinder(locator, refiner).eval(), first, second)


def export(
    config: DetectorConfig,
    landmarks: LandmarkConfig,
    learned: TaughtPhotos,
    held_out: TaughtPhotos,
    runs: Path,
    target: Path,
    command: str,
) -> LocatorBundle:
    """Writes the file. Raises ConfigError without a checkpoint of either config below `runs`."""
    trained, scores = best_finder(config, landmarks, runs), config.scores
    found = [locate(trained.finder, held_out.pixels(row), CPU, scores.least) for row in range(len(held_out.photos))]
    frame = scaled(fit_frame(found, held_out.faces), config.alignment.scale)
    metadata = LocatorMetadata(
        schema=SCHEMA,
        name=config.name,
        version=config.version,
        detector_id="",
        least_score=scores.least,
        last_score=scores.last,
        sure_score=scores.sure,
        turned_score=scores.turned,
        frame=tuple((float(x), float(y)) for x, y in frame.round(2)),
        architecture={
            "width": config.network.width,
            "refiner_width": landmarks.width,
            "parameters": sum(p.numel() for p in trained.finder.parameters()),
        },
        training={
            "command": command,
            "config": asdict(config),
            "landmarks": {"config": asdict(landmarks), **_story(trained.landmarks)},
            "data": "Labeled Faces in the Wild (Huang et al. 2007), people of peopleDevTrain; faces found by MTCNN",
            "licence": LICENCES["lfw"],
            "people": len({photo.person for photo in learned.photos}),
            "photos": len(learned.photos),
            "machine": machine(),
            **_story(trained.locator),
        },
        git_commit=trained.locator["commit"],
        torch_version=torch.__version__,
    )
    return create_locator(target, trained.finder, metadata, golden_photo())


def _story(saved: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint tells of its training."""
    story = {"commit": saved["commit"], "best_step": saved["step"], "seconds": round(saved["seconds"])}
    return {**story, "validation": saved["history"][-1]}


def fit_frame(found: Sequence[Faces], taught: Sequence[Faces]) -> NDArray[np.float64]:
    """Where the landmarks of faces that were found lie on average, (5, 2), in the 150 px chips into which those of the
    same faces taught are carried: so that crops stay what they are whoever found the face. Raises ValueError where no
    face was found."""
    template = chip_template(CHIP_SIZE)
    placed = []
    for mine, theirs in zip(found, taught, strict=True):
        for row, partner in matches(mine, theirs):
            linear = similarity_transform(theirs[partner, 5:].reshape(5, 2), template)
            placed.append(mine[row, 5:].reshape(5, 2) @ linear[:, :2].T + linear[:, 2])
    if not placed:
        raise ValueError("no face that was taught was found")
    return np.asarray(np.median(placed, axis=0), np.float64)


def golden_photo() -> Pixels:
    """Eileen Collins, NASA, in the public domain: uint8 (192, 192, 3)."""
    (astronaut,) = public_pictures(["astronaut.png"])
    portrait = Image.fromarray(astronaut).crop((96, 0, 352, 256))
    return np.array(portrait.resize((192, 192), Image.Resampling.LANCZOS))
