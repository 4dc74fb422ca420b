"""Export of YuNet and the best refiner as the detector's file, with its chances, thresholds and reference landmarks."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import skimage
import torch
from PIL import Image

from model.alignment import align, chip_template
from model.detector.bundle import SCHEMA, DetectorBundle, DetectorMetadata, create_detector
from model.detector.face_refiner import FaceRefiner
from model.detector.finder import FaceFinder
from model.detector.layout import CLOSE_SIZE, CROP_SIZE
from model.detector.multi_scale import MultiScaleDetector
from model.detector.yunet import YuNet
from model.images import Pixels
from training.detector.candidates import LEAST_SCORE
from training.detector.config import DetectorConfig
from training.detector.peers import to_rows
from training.detector.reference_landmarks import fit_reference_landmarks, scale_landmarks
from training.detector.score_calibration import fit_close_weights, fit_score_weights, score_validation
from training.detector.splits import load_labelled_split, split_other_photos, without_labels
from training.detector.yunet_weights import load_yunet
from training.encoder.export import LICENCES
from training.optimization.checkpoint import BEST, load_best_checkpoint, load_weights
from training.provenance import describe_machine

DATA: Final = (
    "YuNet: weights of OpenCV Zoo's face_detection_yunet_2023mar (MIT), trained on WIDER FACE by its authors. Refiner: "
    "Labeled Faces in the Wild (Huang et al. 2007), people of peopleDevTrain, landmarks by MTCNN"
)
GOLDEN_CROPS: Final = 3


@dataclass(frozen=True)
class TrainedDetector:
    """The network with the best weights, and the refiner's checkpoint without its weights."""

    network: FaceFinder
    checkpoint: Mapping[str, Any]


def load_trained_detector(config: DetectorConfig, data: Path, runs: Path) -> TrainedDetector:
    """Loads YuNet's file below `data` and the best weights of the refiner below `runs`.

    Raises DataError if the file is missing or another network's, and ConfigError if the checkpoint is missing, damaged
    or made with another config.
    """
    yunet: YuNet = load_yunet(data / config.yunet)
    checkpoint = load_best_checkpoint(config, runs / config.name, "python -m training detector train")
    refiner = FaceRefiner(config.width)
    load_weights(refiner, checkpoint.pop("encoder"), runs / config.name / BEST)
    return TrainedDetector(FaceFinder(yunet, refiner).eval(), checkpoint)


def export_detector(config: DetectorConfig, data: Path, build: Path, target: Path, command: str) -> DetectorBundle:
    """Writes the detector's file. Chances and reference landmarks are fitted on the validation photos.

    Raises ConfigError and DataError as `load_trained_detector` does, and DataError if the detector finds no face.
    """
    trained = load_trained_detector(config, data, build / "runs")
    split, other = load_labelled_split(config.people, data, build), split_other_photos(config, data)
    metadata = _describe(config, trained, len({photo.person for photo in split.training.photos}), command)
    photo = make_golden_photo()
    golden = (photo, make_golden_crops(photo), make_close_crops(photo))
    draft = create_detector(target, trained.network, metadata, *golden)
    validation = other["validation"]
    scored = score_validation(
        draft, split.validation, without_labels(validation.faces), without_labels(validation.no_faces)
    )
    first = fit_score_weights(scored)
    close = fit_close_weights(scored, first, config.scores.refiner_share)
    metadata = replace(metadata, score_weights=first, close_weights=close)
    draft = create_detector(target, trained.network, metadata, *golden)
    detector = MultiScaleDetector(draft)
    detections = [to_rows(detector.detect(split.validation.decode(row))) for row in range(len(split.validation))]
    reference = scale_landmarks(fit_reference_landmarks(detections, split.validation.faces), config.alignment.scale)
    points = tuple((float(x), float(y)) for x, y in reference.round(2))
    return create_detector(target, trained.network, replace(metadata, reference_landmarks=points), *golden)


def _describe(config: DetectorConfig, trained: TrainedDetector, people: int, command: str) -> DetectorMetadata:
    checkpoint, network = trained.checkpoint, trained.network
    return DetectorMetadata(
        schema=SCHEMA,
        name=config.name,
        version=config.version,
        detector_id="",
        candidate_score=LEAST_SCORE,
        least_score=config.scores.least,
        sure_score=config.scores.sure,
        turned_score=config.scores.turned,
        score_weights=(0.0, 1.0, 1.0),
        close_weights=(0.0, 0.0, 1.0),
        reference_landmarks=tuple((float(x), float(y)) for x, y in chip_template(150)),
        architecture={
            "width": config.width,
            "parameters": {
                name: sum(each.numel() for each in part.parameters())
                for name, part in (("yunet", network.yunet), ("refiner", network.refiner))
            },
        },
        training={
            "command": command,
            "config": asdict(config),
            "data": f"{DATA}; portraits: {', '.join(config.photos.faces)}; without people: "
            f"{', '.join(config.photos.no_faces)} (docs/training.md)",
            "licence": LICENCES["lfw"],
            "people": people,
            "machine": describe_machine(),
            "commit": checkpoint["commit"],
            "best_step": checkpoint["step"],
            "seconds": round(checkpoint["seconds"]),
            "validation": checkpoint["history"][-1],
        },
        git_commit=checkpoint["commit"],
        torch_version=torch.__version__,
    )


def make_golden_photo() -> Pixels:
    """Returns a portrait of Eileen Collins (NASA, public domain), uint8 (192, 192, 3)."""
    astronaut = Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png").convert("RGB")
    portrait = astronaut.crop((96, 0, 352, 256))
    return np.array(portrait.resize((192, 192), Image.Resampling.LANCZOS))


def make_golden_crops(photo: Pixels) -> Pixels:
    """Returns crops of the golden photo at several places, uint8 (GOLDEN_CROPS, CROP_SIZE, CROP_SIZE, 3)."""
    template = chip_template(CROP_SIZE)
    return np.stack([align(photo, template * 2 + 24 * place, template, CROP_SIZE) for place in range(GOLDEN_CROPS)])


def make_close_crops(photo: Pixels) -> Pixels:
    """Returns the face of the golden photo and its surroundings, uint8 (2, CLOSE_SIZE, CLOSE_SIZE, 3)."""
    middle = np.array(Image.fromarray(photo).resize((CLOSE_SIZE, CLOSE_SIZE), Image.Resampling.BOX))
    return np.stack([middle, photo[:CLOSE_SIZE, :CLOSE_SIZE]])
