"""The best checkpoint -> the detector's file, with its thresholds and the frame of its landmarks."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model.alignment import CHIP_SIZE, chip_template, similarity_transform
from model.images import Pixels
from model.locator import FaceLocator
from model.locator_bundle import SCHEMA, LocatorBundle, LocatorMetadata, create_locator
from training.detector.config import DetectorConfig
from training.detector.frames import scaled
from training.detector.measure import Faces, matches
from training.detector.public import public_pictures
from training.detector.teacher import TaughtPhotos
from training.detector.train import locate
from training.export import LICENCES
from training.provenance import machine
from training.state import best_checkpoint

CPU = torch.device("cpu")


def best_locator(config: DetectorConfig, run: Path) -> tuple[FaceLocator, dict[str, Any]]:
    """The best weights of a run, and the run's story. Raises ConfigError without a checkpoint of this config."""
    saved = best_checkpoint(config, run, "python -m training.detector train")
    network = FaceLocator(config.network.width)
    network.load_state_dict(saved.pop("encoder"))
    return network.eval(), saved


def export(
    config: DetectorConfig, learned: TaughtPhotos, held_out: TaughtPhotos, run: Path, target: Path, command: str
) -> LocatorBundle:
    """Writes the file. Raises ConfigError without a checkpoint of this config."""
    network, saved = best_locator(config, run)
    scores = config.scores
    found = [locate(network, held_out.pixels(row), CPU, scores.least) for row in range(len(held_out.photos))]
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
        architecture={"width": config.network.width, "parameters": sum(p.numel() for p in network.parameters())},
        training={
            "command": command,
            "config": asdict(config),
            "data": "Labeled Faces in the Wild (Huang et al. 2007), people of peopleDevTrain; faces found by MTCNN",
            "licence": LICENCES["lfw"],
            "people": len({photo.person for photo in learned.photos}),
            "photos": len(learned.photos),
            "best_step": saved["step"],
            "seconds": round(saved["seconds"]),
            "machine": machine(),
            "validation": saved["history"][-1],
        },
        git_commit=saved["commit"],
        torch_version=torch.__version__,
    )
    return create_locator(target, network, metadata, golden_photo())


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
