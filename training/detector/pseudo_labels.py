"""The faces that the teacher, MTCNN, finds on whole photos: what the detector learns from and is measured against."""

import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from model.detector.mtcnn import MtcnnDetector
from model.errors import PhotoError
from model.images import Pixels, decode_image
from training.data.photos import DataError, Photo

FACE = 15  # values: left, top, right, bottom, score, five x and y


@dataclass(frozen=True)
class TaughtPhotos:
    """Whole photos, and the faces on each: (F, 15) in pixels, box, score, landmarks in model/face.py's order."""

    photos: tuple[Photo, ...]
    faces: tuple[NDArray[np.float32], ...]

    def of(self, people: frozenset[str]) -> "TaughtPhotos":
        """Those of these people."""
        chosen = [row for row, photo in enumerate(self.photos) if photo.person in people]
        return TaughtPhotos(tuple(self.photos[row] for row in chosen), tuple(self.faces[row] for row in chosen))

    def pixels(self, row: int) -> Pixels:
        """uint8 (H, W, 3)."""
        return decode_image(self.photos[row].read())


def teach(photos: Sequence[Photo], target: Path, workers: int | None = None) -> TaughtPhotos:
    """Runs the teacher over every photo that decodes, in parallel, and writes its faces to `target`; or reads them
    where they are already. Raises DataError where they are of other photos."""
    if target.is_file():
        saved = json.loads(target.read_text())
        if saved["photos"] != [photo.name for photo in photos] or saved["teacher"] != MtcnnDetector.name:
            raise DataError(f"{target} is of other photos or another teacher. Delete it to make it anew.")
    else:
        # Spawned: forking a process in which torch has started threads can hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context, initializer=_start_worker) as pool:
            answers = pool.map(_faces_of, photos, chunksize=50)
            faces = list(track(answers, f"Teaching {len(photos):,} photos", total=len(photos)))
        saved = {"teacher": MtcnnDetector.name, "photos": [photo.name for photo in photos], "faces": faces}
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        partial.write_text(json.dumps(saved))
        partial.replace(target)
    return TaughtPhotos(tuple(photos), tuple(np.array(faces, np.float32).reshape(-1, FACE) for faces in saved["faces"]))


_detector: MtcnnDetector | None = None


def _start_worker() -> None:
    global _detector  # one detector for each worker process, built once
    torch.set_num_threads(1)
    _detector = MtcnnDetector(min_face=20)


def _faces_of(photo: Photo) -> list[list[float]]:
    assert _detector is not None
    try:
        image = decode_image(photo.read())
    except PhotoError:
        return []
    found = _detector.detect(image)
    return [[round(float(value), 2) for value in (*face.box, face.score, *face.landmarks.flatten())] for face in found]
