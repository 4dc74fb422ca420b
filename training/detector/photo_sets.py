"""The photo sets that test the detector. None of them trains or calibrates anything.

docs/training.md says where they come from. A set that is not there is left out, but for LFW.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError
from training.data.photos import Photo, find_photos
from training.data.text import read_lines
from training.detector.config import DetectorConfig
from training.detector.pseudo_labels import LabelledPhotos, pseudo_label
from training.detector.splits import split_other_photos, without_labels
from training.detector.wider_face import load_boxes

# From the mean landmark to the sides of MTCNN's box, in units of the landmarks' spread: medians over LFW.
BOX_EXTENT: Final = np.array([0.79, 1.17, 0.74, 0.86])
# The points of All-Age-Faces, of 49, whose mean is each landmark: eye rims, tip of the nose, corners of the mouth.
LANDMARK_POINTS: Final = ((19, 20, 21, 22, 23, 24), (25, 26, 27, 28, 29, 30), (13,), (31,), (37,))
POINTS: Final = 49
TURNED_SHARE: Final = 0.2  # of AFLW
MTCNN_LABELS: Final = "MTCNN from 20 px on"
NO_PEOPLE: Final = "no_people.txt"


@dataclass(frozen=True)
class PhotoSet:
    """Photos with labels; `truth` says where the labels come from."""

    name: str
    truth: str
    labels: LabelledPhotos


def load_photo_sets(lfw: LabelledPhotos, config: DetectorConfig, data: Path, build: Path) -> list[PhotoSet]:
    """The sets with people that are in `data` or ./data; LFW, with MTCNN's labels, is always there.

    CelebA gets pseudo-labels, which are kept below `build`. Raises DataError if a set is incomplete.
    """
    sets = [PhotoSet("LFW", MTCNN_LABELS, lfw)]
    if celeba := find_set(data, "celeba-wild"):
        photos = tuple(find_photos(celeba)[::3])
        labels = pseudo_label(photos, build / "detector" / "celeba-pseudo-labels.json")
        sets.append(PhotoSet("CelebA, whole photos (every 3rd)", MTCNN_LABELS, labels))
    if (points := find_set(data, "all-age-faces-points")) and find_set(data, "all-age-faces"):
        portraits = split_other_photos(config, data)["test"].faces[::3]
        sets.append(
            PhotoSet("All-Age-Faces (every 3rd of the test part)", "its own points", annotate(portraits, points))
        )
    if aflw := find_set(data, "mtfl"):
        sets += load_aflw(aflw)
    if drivers := find_set(data, "drivface"):
        sets.append(
            PhotoSet("DrivFace, drivers", "five points by hand, heads turned up to 45 degrees", load_drivers(drivers))
        )
    if crowds := find_set(data, "wider-val"):
        sets.append(
            PhotoSet(
                "WIDER FACE, validation part (every 4th)", "its own boxes from 44 px on", load_boxes(crowds, every=4)
            )
        )
    return sets


def load_faceless_sets(data: Path) -> list[PhotoSet]:
    """The sets without people: every folder of `faceless` in `data` or ./data, without the photos that show somebody.

    Raises DataError if there is none.
    """
    return load_faceless(data, "faceless")


def load_faceless(data: Path, name: str) -> list[PhotoSet]:
    """The sets in the folder `name`, as `load_faceless_sets` does."""
    folder = find_set(data, name)
    if folder is None:
        raise DataError(f"data/{name} does not exist. docs/training.md says what belongs there.")
    sets = []
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        photos: Sequence[Photo] = find_photos(each)
        if (each / NO_PEOPLE).is_file():
            chosen = frozenset((each / NO_PEOPLE).read_text().split("\n"))
            photos = [photo for photo in photos if photo.file.name in chosen]
        sets.append(PhotoSet(each.name, "no people", without_labels(photos)))
    return sets


def find_set(data: Path, name: str) -> Path | None:
    return next((folder for folder in (data / name, Path("data") / name) if folder.is_dir()), None)


def annotate(photos: Sequence[Photo], points: Path) -> LabelledPhotos:
    """Labels portraits of All-Age-Faces by the files of their points."""
    faces = tuple(face_from_points(_load_points(points / f"{Path(each.name).stem}.txt"))[None] for each in photos)
    return LabelledPhotos(tuple(photos), faces)


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
    return face_from_landmarks(np.array([points[list(each)].mean(axis=0) for each in LANDMARK_POINTS]))


def face_from_landmarks(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """A face of score 1, (FACE_VALUES,), with the box that MTCNN would draw around landmarks (5, 2)."""
    centre = landmarks.mean(axis=0)
    extent = BOX_EXTENT * np.sqrt(((landmarks - centre) ** 2).sum())
    box = np.concatenate([centre - extent[:2], centre + extent[2:]])
    return np.concatenate([box, [1.0], landmarks.ravel()]).astype(np.float32)


def load_aflw(folder: Path) -> list[PhotoSet]:
    """AFLW's part of MTFL (Zhang et al. 2014), with five points labelled by hand: all, and the fifth turned most."""
    everybody = read_points(folder, "new_testing.txt")
    truth = "five points by hand, photos of 80 px"
    return [
        PhotoSet("AFLW", truth, everybody),
        PhotoSet("AFLW, the fifth turned most", truth, choose_turned(everybody, TURNED_SHARE)),
    ]


def read_points(folder: Path, name: str) -> LabelledPhotos:
    """The photos of one of MTFL's lists, which holds for each its name, five x and five y."""
    photos, faces = [], []
    for line in read_lines(folder / name, "MTFL's list"):
        try:
            file, *numbers = line.split()
            landmarks = np.array(numbers, np.float64).reshape(2, 5).T
        except ValueError as error:
            raise DataError(f"{folder / name}: a line should hold a name and ten numbers: {line}") from error
        photos.append(Photo(file, folder / file))
        faces.append(face_from_landmarks(landmarks)[None])
    return LabelledPhotos(tuple(photos), tuple(faces))


def choose_turned(photos: LabelledPhotos, share: float) -> LabelledPhotos:
    """This share of photos of one face: those with the most turned faces.

    How far a face is turned shows in the ratio of the distance between the eyes to that from eyes to mouth.
    """
    left, right, _, *mouth = np.array(photos.faces)[:, 0, 5:].reshape(-1, 5, 2).swapaxes(0, 1).astype(np.float64)
    heights = np.linalg.norm((left + right - mouth[0] - mouth[1]) / 2, axis=1)
    ratios = np.linalg.norm(right - left, axis=1) / np.maximum(heights, 1e-6)
    turned = np.flatnonzero(ratios <= np.quantile(ratios, share))
    return LabelledPhotos(tuple(photos.photos[row] for row in turned), tuple(photos.faces[row] for row in turned))


def load_drivers(folder: Path) -> LabelledPhotos:
    """DrivFace (Diaz-Chito, Hernandez-Sabate, Lopez 2016): drivers in a car, with five points and a box each.

    The table's right eye is the one at the left of the image. Raises DataError if the table is malformed or a photo is
    missing.
    """
    table, photos, faces = folder / "drivPoints.txt", [], []
    for line in read_lines(table, "DrivFace's table")[1:]:
        try:
            name, *numbers = line.split(",")
            left, top, width, height, *points = (float(number) for number in numbers[4:])
            landmarks = np.array(points).reshape(5, 2)
        except ValueError as error:
            raise DataError(f"{table}: a line should hold a name and 18 numbers: {line}") from error
        face = face_from_landmarks(landmarks)
        face[:4] = left, top, left + width, top + height
        file = folder / "DrivImages" / "DrivImages" / f"{name}.jpg"
        if not file.is_file():
            raise DataError(f"{file} does not exist. {table} names it.")
        photos.append(Photo(name.strip(), file))
        faces.append(face[None])
    return LabelledPhotos(tuple(photos), tuple(faces))
