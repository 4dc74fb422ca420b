"""Photos that only test the detector, each with the faces on it.

Beside LFW's test people: CelebA's whole photos and All-Age-Faces, research data that docs/decisions/0012 says where to
find, and the animals among one photo of each ImageNet class.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.data.photos import DataError, Photo, find_photos
from training.detector.pseudo_labels import FACE, TaughtPhotos, teach

# Sides of MTCNN's box from the middle of its landmarks, in spreads of these: medians over LFW.
BOX: Final = np.array([0.79, 1.17, 0.74, 0.86])
# All-Age-Faces' 49 points: the rims of the eyes, the tip of the nose, the corners of the mouth.
POINTS: Final = ((19, 20, 21, 22, 23, 24), (25, 26, 27, 28, 29, 30), (13,), (31,), (37,))
FIRST_THING: Final = "n02666196"  # ImageNet numbers its animals first


@dataclass(frozen=True)
class Source:
    name: str
    truth: str  # who says where the faces are
    taught: TaughtPhotos


def sources(test: TaughtPhotos, data: Path, build: Path) -> list[Source]:
    """LFW's test photos with MTCNN's faces, and about a thousand of each other source. Raises DataError naming a folder
    that is missing."""
    wild = tuple(find_photos(_folder(data, "celeba-wild"))[::6])
    ages = _folder(data, "all-age-faces"), _folder(data, "all-age-faces-points")
    animals = [photo for photo in find_photos(_folder(data, "imagenet-samples")) if photo.name < FIRST_THING]
    nobody = np.zeros((0, FACE), np.float32)
    return [
        Source("LFW, people of peopleDevTest", "MTCNN from 20 px on", test),
        Source(
            "CelebA, whole photos (every 6th)", "MTCNN from 20 px on", teach(wild, build / "detector" / "wild.json")
        ),
        Source("All-Age-Faces (every 13th)", "the set's own points", _annotated(*ages, every=13)),
        Source("ImageNet, animals", "nobody there", TaughtPhotos(tuple(animals), (nobody,) * len(animals))),
    ]


def _folder(data: Path, name: str) -> Path:
    for place in (data / name, Path("data") / name):
        if place.is_dir():
            return place
    raise DataError(f"{Path('data') / name} is not there; docs/decisions/0012 says what belongs into it.")


def _annotated(photos: Path, points: Path, every: int) -> TaughtPhotos:
    chosen: list[Photo] = find_photos(photos)[::every]
    return TaughtPhotos(
        tuple(chosen), tuple(face_of(np.loadtxt(points / f"{Path(photo.name).stem}.txt"))[None] for photo in chosen)
    )


def face_of(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """All-Age-Faces' points (49, 2) as a face, (FACE,), that is certain."""
    landmarks = np.array([points[list(each)].mean(axis=0) for each in POINTS])
    middle = landmarks.mean(axis=0)
    sides = BOX * np.sqrt(((landmarks - middle) ** 2).sum())
    box = np.concatenate([middle - sides[:2], middle + sides[2:]])
    return np.concatenate([box, [1.0], landmarks.ravel()]).astype(np.float32)
