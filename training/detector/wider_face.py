"""Photos with boxes in the format of WIDER FACE (Yang et al. 2016)."""

from pathlib import Path
from typing import Final

import numpy as np

from training.data.errors import DataError
from training.data.photos import Photo
from training.detector.pseudo_labels import FACE_VALUES, LabelledPhotos

SMALLEST_BOX: Final = 44.0  # pixels a side of a face with 20 pixels between the eyes; smaller ones need not be found


def load_boxes(folder: Path, every: int = 1, first: int = 0) -> LabelledPhotos:
    """Every so manieth photo of `labels.txt`: name, number of faces, then left, top, width, height and flags of each.

    Faces below SMALLEST_BOX, and those marked invalid or heavily occluded, may be found or not.
    """
    photos, faces = [], []
    for name, rows in _read_boxes(folder / "labels.txt"):
        labels = np.zeros((len(rows), FACE_VALUES), np.float32)
        for label, (left, top, width, height, *flags) in zip(labels, rows, strict=True):
            label[:4] = left, top, left + width, top + height
            is_required = min(width, height) >= SMALLEST_BOX and not (len(flags) >= 5 and (flags[3] or flags[4] == 2))
            label[4] = 1.0 if is_required else 0.5
            label[5:] = np.nan  # no landmarks
        file = folder / "images" / name
        if file.is_file():
            photos.append(Photo(name, file))
            faces.append(labels[(labels[:, 2] > labels[:, 0]) & (labels[:, 3] > labels[:, 1])])
    if not photos:
        raise DataError(f"{folder} holds no photos of labels.txt.")
    return LabelledPhotos(tuple(photos[first::every]), tuple(faces[first::every]))


def _read_boxes(path: Path) -> list[tuple[str, list[list[float]]]]:
    """The names of WIDER FACE's list and the numbers of their faces. Raises DataError if the list is malformed."""
    lines, entries = path.read_text().splitlines(), []
    row = 0
    try:
        while row < len(lines):
            count = max(int(lines[row + 1]), 1)  # a photo without faces has one line of zeros
            rows = [[float(number) for number in line.split()] for line in lines[row + 2 : row + 2 + count]]
            if len(rows) < count or any(len(each) < 4 for each in rows):
                raise ValueError("boxes are missing")
            entries.append((lines[row], rows))
            row += 2 + count
    except (IndexError, ValueError) as error:
        raise DataError(f"{path} is malformed after line {row}: {error}.") from error
    return entries
