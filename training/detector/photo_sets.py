"""The photo sets that test the detector. None of them trains anything.

Beside LFW's test people: whole photos of CelebA, All-Age-Faces, and the animals among one photo of each ImageNet class.
docs/decisions/0012-a-single-pass-detector.md says where to find them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError
from training.data.photos import find_photos
from training.detector.pseudo_labels import FACE_VALUES, LabelledPhotos, pseudo_label

# From the mean landmark to the sides of MTCNN's box, in units of the landmarks' spread: medians over LFW.
BOX_EXTENT: Final = np.array([0.79, 1.17, 0.74, 0.86])
# The points of All-Age-Faces, of 49, whose mean is each landmark: eye rims, tip of the nose, corners of the mouth.
LANDMARK_POINTS: Final = ((19, 20, 21, 22, 23, 24), (25, 26, 27, 28, 29, 30), (13,), (31,), (37,))
POINTS: Final = 49
FIRST_OBJECT: Final = "n02666196"  # ImageNet's class ids are sorted: animals come first


@dataclass(frozen=True)
class PhotoSet:
    """Photos with labels; `truth` says where the labels come from."""

    name: str
    truth: str
    labels: LabelledPhotos


def load_photo_sets(lfw_test: LabelledPhotos, data: Path, build: Path) -> list[PhotoSet]:
    """Returns LFW's test photos, then about a thousand photos of each other set.

    CelebA gets pseudo-labels, which are kept below `build`. Raises DataError naming a folder or file that is missing.
    """
    celeba = tuple(find_photos(_find_folder(data, "celeba-wild"))[::6])
    ages = _find_folder(data, "all-age-faces"), _find_folder(data, "all-age-faces-points")
    animals = [photo for photo in find_photos(_find_folder(data, "imagenet-samples")) if photo.name < FIRST_OBJECT]
    no_face = np.zeros((0, FACE_VALUES), np.float32)
    celeba_labels = pseudo_label(celeba, build / "detector" / "celeba-pseudo-labels.json")
    return [
        PhotoSet("LFW, people of peopleDevTest", "MTCNN from 20 px on", lfw_test),
        PhotoSet("CelebA, whole photos (every 6th)", "MTCNN from 20 px on", celeba_labels),
        PhotoSet("All-Age-Faces (every 13th)", "the set's own points", load_annotated(*ages, every=13)),
        PhotoSet("ImageNet, animals", "no faces", LabelledPhotos(tuple(animals), (no_face,) * len(animals))),
    ]


def _find_folder(data: Path, name: str) -> Path:
    for folder in (data / name, Path("data") / name):
        if folder.is_dir():
            return folder
    raise DataError(
        f"{Path('data') / name} does not exist. docs/decisions/0012-a-single-pass-detector.md says what belongs there."
    )


def load_annotated(photos: Path, points: Path, every: int) -> LabelledPhotos:
    chosen = tuple(find_photos(photos)[::every])
    faces = tuple(face_from_points(_load_points(points / f"{Path(each.name).stem}.txt"))[None] for each in chosen)
    return LabelledPhotos(chosen, faces)


def _load_points(path: Path) -> NDArray[np.float64]:
    try:
        points = np.loadtxt(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}. It should hold {POINTS} lines of x and y.") from error
    if points.shape != (POINTS, 2):
        raise DataError(f"{path} has the wrong shape, {points.shape}. It should hold {POINTS} lines of x and y.")
    return np.asarray(points, np.float64)


def face_from_points(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Converts the points of All-Age-Faces (49, 2) to a face of score 1, (FACE_VALUES,)."""
    landmarks = np.array([points[list(each)].mean(axis=0) for each in LANDMARK_POINTS])
    centre = landmarks.mean(axis=0)
    extent = BOX_EXTENT * np.sqrt(((landmarks - centre) ** 2).sum())
    box = np.concatenate([centre - extent[:2], centre + extent[2:]])
    return np.concatenate([box, [1.0], landmarks.ravel()]).astype(np.float32)
