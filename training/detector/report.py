"""What the detector is worth beside MTCNN: faces found and made up, landmarks, what the encoder makes of them, time."""

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

from model.detector.mtcnn import MtcnnDetector
from model.detector.orientation import DetectorKind, open_detector
from model.encoder.bundle import Bundle
from model.face import FaceDetector
from model.images import Pixels
from training.data.crops import prepare_folder
from training.data.photos import lfw_photos
from training.detector.metrics import Faces, compare
from training.detector.photo_sets import Source
from training.detector.pseudo_labels import FACE, TaughtPhotos
from training.evaluation.embeddings import score
from training.evaluation.lfw import compare as compare_pairs
from training.provenance import machine

SIDES: Final = (250, 640, 1920)  # pixels of the photos that are timed
THREADS: Final = (1, 2)
FMR: Final = 1e-3
# Of MTCNN, on the photo's long side in pixels: the service's, and a smaller one.
CAPS: Final = (640, 320)


def find(detector: FaceDetector, taught: TaughtPhotos, what: str) -> list[Faces]:
    """The faces (F, 15) that it finds on each photo as it is."""
    return [
        rows_of(detector, taught.pixels(row)) for row in track(range(len(taught.photos)), f"{detector.name}: {what}")
    ]


def rows_of(detector: FaceDetector, image: Pixels) -> Faces:
    """The faces that it finds on one photo, (F, 15)."""
    rows = [[*face.box, face.score, *face.landmarks.ravel()] for face in detector.detect(image)]
    return np.array(rows, np.float32).reshape(-1, FACE)


def report_sources(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Of each source and detector: `Measured`, and on how many photos a face was found."""
    lines = []
    for source in sources:
        for kind in DetectorKind:
            found = find(open_detector(kind), source.taught, source.name)
            measured = compare(found, source.taught.faces, least_score=0.0)
            with_face = sum(len(faces) > 0 for faces in found)
            about = {"source": source.name, "truth": source.truth, "detector": kind.value}
            lines.append({**about, **asdict(measured), "photos_with_a_face": with_face})
    return lines


def report_verification(bundle: Bundle, people: frozenset[str], data: Path, build: Path) -> dict[str, Any]:
    """What the encoder makes of the crops of either detector: every pair of these people's photos; and how many of all
    of LFW's photos show nobody to it."""
    crops = {kind: prepare_folder(lfw_photos(data), bundle.metadata.crop_size, build, kind) for kind in DetectorKind}
    pairs = {kind: score(bundle, crops[kind], people).all_pairs() for kind in DetectorKind}
    difference = compare_pairs(pairs[DetectorKind.MTCNN], pairs[DetectorKind.LOCATOR])[FMR]
    return {
        "bundle": bundle.metadata.name,
        "fmr": FMR,
        "tar": {kind.value: pairs[kind].tar_at(FMR) for kind in DetectorKind},
        "difference": asdict(difference),
        "lfw_photos": len(crops[DetectorKind.MTCNN].names) + len(crops[DetectorKind.MTCNN].missing),
        "lfw_photos_lost": {kind.value: len(crops[kind].missing) for kind in DetectorKind},
    }


def report_times(photos: Sequence[Pixels], repeats: int = 3) -> list[dict[str, Any]]:
    """Median milliseconds a photo of each size, by threads: the photos are scaled to squares of SIDES pixels."""
    locator = open_detector()
    mtcnns = {cap: MtcnnDetector(max_side=cap) for cap in CAPS}
    before, lines = torch.get_num_threads(), []
    try:
        for threads in THREADS:
            torch.set_num_threads(threads)
            for side in SIDES:
                scaled = [np.array(Image.fromarray(photo).resize((side, side))) for photo in photos]
                taken = {"locator": _milliseconds(locator, scaled, repeats)}
                taken |= {f"mtcnn_{cap}": _milliseconds(each, scaled, repeats) for cap, each in mtcnns.items()}
                lines.append({"side": side, "threads": threads, **taken})
    finally:
        torch.set_num_threads(before)
    return lines


def _milliseconds(detector: FaceDetector, photos: Sequence[Pixels], repeats: int) -> float:
    detector.detect(photos[0])  # warms up
    taken = []
    for photo in list(photos) * repeats:
        start = time.perf_counter()
        detector.detect(photo)
        taken.append((time.perf_counter() - start) * 1000)
    return median(taken)


def report(
    sources: Sequence[Source], bundle: Bundle, people: frozenset[str], data: Path, build: Path, command: str
) -> dict[str, Any]:
    """All of it, as it goes into the detector's file."""
    test = sources[0].taught
    timed = [test.pixels(row) for row in range(0, len(test.photos), len(test.photos) // 12)]
    return {
        "command": command,
        "machine": machine(),
        "times": report_times(timed),
        "verification": report_verification(bundle, people, data, build),
        "sources": report_sources(sources),
    }
