"""Export of the liveness networks as a file of their own, with the crop rule fitted to the service's detector."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import skimage
import torch
from PIL import Image

from model.face import Face, FaceDetector
from model.images import Pixels
from model.liveness.bundle import SCHEMA, LivenessBundle, LivenessMetadata, create_liveness
from model.liveness.ensemble import SCALES
from model.liveness.minifasnet import CROP_SIZE
from model.liveness.surroundings import BoxCorrection, CropRule
from training.data.photos import Photo
from training.liveness.reference import fit_correction, load_answers, measure_agreement
from training.liveness.weights import LICENCE, SOURCE, load_ensemble
from training.provenance import describe_machine, git_commit

NAME: Final = "minifasnet"
VERSION: Final = "1.0.0"
GOLDEN_SIDES: Final = (60, 90, 120, 160)  # of the boxes that are cut out of the golden photo, pixels


def export_liveness(target: Path, detector: FaceDetector, photos: Mapping[str, Photo], command: str) -> LivenessBundle:
    """Writes the file, without a threshold: the report chooses it.

    `photos` are LFW's. Raises DataError if weights or photos are missing, or if the networks do not agree with the
    authors' code.
    """
    ensemble, answers = load_ensemble(), load_answers()
    agreement = measure_agreement(ensemble, photos, answers)
    correction, overlaps = fit_correction(detector, photos, answers)
    metadata = LivenessMetadata(
        schema=SCHEMA,
        name=NAME,
        version=VERSION,
        liveness_id="",
        crop_size=CROP_SIZE,
        scales=SCALES,
        correction=correction,
        detector=detector.name,
        source=SOURCE,
        licence=LICENCE,
        agreement={**asdict(agreement), "boxes": dict(overlaps), "command": command, "machine": describe_machine()},
        git_commit=git_commit(),
        torch_version=torch.__version__,
    )
    return create_liveness(target, ensemble, metadata, make_golden_crops())


def make_golden_crops() -> Pixels:
    """Crops of a portrait of Eileen Collins (NASA, public domain), uint8 (len(GOLDEN_SIDES), 2, S, S, 3)."""
    portrait = Path(skimage.__file__).parent / "data" / "astronaut.png"
    image = np.array(Image.open(portrait).convert("RGB"))
    rule = CropRule(SCALES, CROP_SIZE, BoxCorrection())
    boxes = [np.array([223 - side / 2, 115 - side / 2, 223 + side / 2, 115 + side / 2]) for side in GOLDEN_SIDES]
    faces = [Face(box.astype(np.float32), np.zeros((5, 2), np.float32), 1.0) for box in boxes]
    return np.stack([rule.cut(image, face) for face in faces])
