"""The locator measured beside MTCNN: faces found, landmark errors, verification with either detector, and time."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from rich.progress import track

from model.detector.factory import DetectorKind, open_detector
from model.detector.mtcnn import MtcnnDetector
from model.encoder.bundle import Bundle
from model.face import FaceDetector
from model.images import Pixels
from training.data.crops import prepare_folder
from training.data.lfw import lfw_photo_source
from training.detector.metrics import Detections, compare_with_labels
from training.detector.photo_sets import PhotoSet
from training.detector.pseudo_labels import FACE_VALUES
from training.evaluation.embeddings import embed_people
from training.evaluation.lfw import compare_tar
from training.provenance import describe_machine

SIDES: Final = (250, 640, 1920)  # pixels of the photos that are timed
TIMED_PHOTOS: Final = 12
THREADS: Final = (1, 2)
FMR: Final = 1e-3
MTCNN_MAX_SIDES: Final = (640, 320)  # pixels to which MTCNN scales a photo: the service's choice, and a faster one


def measure_detectors(
    photo_sets: Sequence[PhotoSet], bundle: Bundle, people: frozenset[str], data: Path, build: Path, command: str
) -> dict[str, Any]:
    """Returns the whole report, as the detector's file stores it. The photos of the first set are timed.

    `people`: LFW's test people, for the verification with `bundle`.
    """
    timed = photo_sets[0].labels
    step = max(len(timed) // TIMED_PHOTOS, 1)
    return {
        "command": command,
        "machine": describe_machine(),
        "times": measure_times([timed.decode(row) for row in range(0, len(timed), step)]),
        "verification": measure_verification(bundle, people, data, build),
        "sources": measure_photo_sets(photo_sets),
    }


def detect_rows(detector: FaceDetector, image: Pixels) -> Detections:
    """Returns the faces of one photo as an array (F, 15)."""
    rows = [[*face.box, face.score, *face.landmarks.ravel()] for face in detector.detect(image)]
    return np.array(rows, np.float32).reshape(-1, FACE_VALUES)


def measure_photo_sets(photo_sets: Sequence[PhotoSet]) -> list[dict[str, Any]]:
    """Returns the detection metrics of each set and detector, and the number of photos with a detected face."""
    lines = []
    for photos in photo_sets:
        for kind in DetectorKind:
            detector = open_detector(kind)
            rows = track(range(len(photos.labels)), f"{detector.name}: {photos.name}")
            detections = [detect_rows(detector, photos.labels.decode(row)) for row in rows]
            metrics = compare_with_labels(detections, photos.labels.faces, least_score=0.0)
            with_face = sum(len(faces) > 0 for faces in detections)
            header = {"source": photos.name, "truth": photos.truth, "detector": kind.value}
            lines.append({**header, **asdict(metrics), "photos_with_a_face": with_face})
    return lines


def measure_verification(bundle: Bundle, people: frozenset[str], data: Path, build: Path) -> dict[str, Any]:
    """Returns the TAR over all pairs of these people with either detector, and how many LFW photos each cannot use."""
    photos = lfw_photo_source(data)
    crops = {kind: prepare_folder(photos, bundle.metadata.crop_size, build, kind) for kind in DetectorKind}
    pairs = {kind: embed_people(bundle, crops[kind], people).all_pairs() for kind in DetectorKind}
    difference = compare_tar(pairs[DetectorKind.MTCNN], pairs[DetectorKind.LOCATOR])[FMR]
    return {
        "bundle": bundle.metadata.name,
        "fmr": FMR,
        "tar": {kind.value: pairs[kind].tar_at(FMR) for kind in DetectorKind},
        "difference": asdict(difference),
        "lfw_photos": len(crops[DetectorKind.MTCNN].names) + len(crops[DetectorKind.MTCNN].missing),
        "lfw_photos_lost": {kind.value: len(crops[kind].missing) for kind in DetectorKind},
    }


def measure_times(photos: Sequence[Pixels], repeats: int = 3) -> list[dict[str, Any]]:
    """Returns the median milliseconds per photo, for squares of SIDES pixels and for each number of THREADS."""
    locator = open_detector()
    mtcnns = {max_side: MtcnnDetector(max_side=max_side) for max_side in MTCNN_MAX_SIDES}
    threads_before, lines = torch.get_num_threads(), []
    try:
        for threads in THREADS:
            torch.set_num_threads(threads)
            for side in SIDES:
                resized = [np.array(Image.fromarray(photo).resize((side, side))) for photo in photos]
                times = {"locator": _median_milliseconds(locator, resized, repeats)}
                for max_side, mtcnn in mtcnns.items():
                    times[f"mtcnn_{max_side}"] = _median_milliseconds(mtcnn, resized, repeats)
                lines.append({"side": side, "threads": threads, **times})
    finally:
        torch.set_num_threads(threads_before)
    return lines


def _median_milliseconds(detector: FaceDetector, photos: Sequence[Pixels], repeats: int) -> float:
    detector.detect(photos[0])  # warms up
    times = []
    for photo in list(photos) * repeats:
        start = time.perf_counter()
        detector.detect(photo)
        times.append((time.perf_counter() - start) * 1000)
    return median(times)
