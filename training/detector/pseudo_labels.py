"""Pseudo-labels: the faces that MTCNN finds on whole photos.

The refiner learns from them, and detectors are compared with them.
"""

import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from model.errors import PhotoError
from model.images import Pixels, decode_image
from training.data.errors import DataError
from training.data.mtcnn import MtcnnDetector
from training.data.photos import Photo, hash_photos

FACE_VALUES: Final = 15  # left, top, right, bottom, score, x and y of five landmarks

NO_FACES: Final = np.zeros((0, FACE_VALUES), np.float32)

Rows = list[list[float]]  # the faces of one photo, FACE_VALUES numbers each


@dataclass(frozen=True)
class LabelledPhotos:
    """Whole photos and the faces on each: float32 (F, 15) in pixels, see FACE_VALUES; landmarks as in model/face.py."""

    photos: tuple[Photo, ...]
    faces: tuple[NDArray[np.float32], ...]

    def __len__(self) -> int:
        return len(self.photos)

    def of_people(self, people: frozenset[str]) -> "LabelledPhotos":
        """Returns the photos of these people."""
        rows = [row for row, photo in enumerate(self.photos) if photo.person in people]
        return LabelledPhotos(tuple(self.photos[row] for row in rows), tuple(self.faces[row] for row in rows))

    def decode(self, row: int) -> Pixels:
        """Returns one photo, uint8 (H, W, 3). Raises DataError naming the photo if it cannot be decoded."""
        try:
            return decode_image(self.photos[row].read())
        except PhotoError as error:
            raise DataError(f"{self.photos[row].name}: {error} Replace or remove the photo.") from error


def lfw_labels_file(build: Path) -> Path:
    """Where the labels of LFW's photos are kept."""
    return build / "detector" / "lfw-pseudo-labels.json"


def pseudo_label(photos: Sequence[Photo], target: Path, workers: int | None = None) -> LabelledPhotos:
    """Runs MTCNN over the photos, in parallel, and writes its faces to `target`; reads `target` if it exists.

    A photo that cannot be decoded gets no face. Raises DataError if `target` is damaged or belongs to other photos, be
    it photos of the same names.
    """
    content = hash_photos(photos)
    faces = _read(target, content) if target.is_file() else _detect_all(photos, content, target, workers)
    return LabelledPhotos(tuple(photos), tuple(np.array(rows, np.float32).reshape(-1, FACE_VALUES) for rows in faces))


def _read(target: Path, content: str) -> list[Rows]:
    try:
        saved = json.loads(target.read_text())
        labelled, detector, faces = saved["content"], saved["detector"], list(saved["faces"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{target} does not hold pseudo-labels. Delete it to make them again.") from error
    if labelled != content or detector != MtcnnDetector.name:
        raise DataError(f"{target} belongs to other photos or another detector. Delete it to make it again.")
    return faces


def _detect_all(photos: Sequence[Photo], content: str, target: Path, workers: int | None) -> list[Rows]:
    # Spawned: forking a process in which torch has started threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context, initializer=_start_worker) as pool:
        results = pool.map(_detect, photos, chunksize=50)
        faces = list(track(results, f"Labelling {len(photos):,} photos", total=len(photos)))
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps({"detector": MtcnnDetector.name, "content": content, "faces": faces}))
    partial.replace(target)
    return faces


_detector: MtcnnDetector | None = None


def _start_worker() -> None:
    global _detector  # one detector for each worker process, built once
    torch.set_num_threads(1)
    _detector = MtcnnDetector(min_face=20)


def _detect(photo: Photo) -> Rows:
    assert _detector is not None
    try:
        image = decode_image(photo.read())
    except PhotoError:
        return []
    faces = _detector.detect(image)
    return [[round(float(value), 2) for value in (*face.box, face.score, *face.landmarks.flatten())] for face in faces]
