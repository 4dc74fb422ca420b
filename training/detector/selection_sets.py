"""The photos on which the detector's thresholds are chosen.

The sets of the report (training/detector/photo_sets.py) have none of them, but for LFW's validation people: the report
has all of LFW.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.images import Pixels
from training.detector.config import DetectorConfig
from training.detector.drawn_faces import draw_faces
from training.detector.metrics import Detections
from training.detector.photo_sets import (
    TURNED_SHARE,
    choose_turned,
    face_from_landmarks,
    find_set,
    load_faceless,
    read_points,
)
from training.detector.pseudo_labels import NO_FACES, LabelledPhotos
from training.detector.splits import load_labelled_split, split_other_photos, without_labels
from training.detector.wider_face import load_boxes

CROWDS: Final = (2, 8)  # every 8th photo of WIDER FACE from the third on: the report has the first of every four
EVERY_TURNED: Final = 2  # of the turned faces
EVERY_PERSON: Final = 3  # of LFW's validation photos
CUT_SIDE: Final = 5.6  # spreads of the landmarks: AFLW's photos in the report are as tight
CUT_PIXELS: Final = 80  # a side of a photo that is cut tightly, as in AFLW

Sample = tuple[Pixels, Detections]  # a photo and its faces


@dataclass(frozen=True)
class SelectionSet:
    """Photos with their faces. `samples` decodes them anew in each call."""

    name: str
    has_people: bool
    count: int
    samples: Callable[[], Iterator[Sample]]


def load_selection_sets(config: DetectorConfig, data: Path, build: Path) -> list[SelectionSet]:
    """The sets that are in `data` or ./data; LFW's people, photos without people and drawings are always there.

    Raises DataError if a set is incomplete or there are no photos without people.
    """
    sets = []
    if folder := find_set(data, "wider-val"):
        sets.append(_as_they_are("crowds", select_crowds(folder)))
    if folder := find_set(data, "mtfl"):
        turned = select_turned(folder)
        sets.append(_as_they_are("turned", turned))
        sets.append(SelectionSet("turned, cut tightly", True, len(turned), partial(_cut_all, turned)))
    sets.append(_as_they_are("LFW", select_people(config, data, build)))
    faceless = select_faceless(config, data)
    sets.append(SelectionSet("nobody", False, len(faceless), partial(_decode_all, faceless)))
    drawings = draw_faces()
    return [*sets, SelectionSet("drawn faces", False, len(drawings), lambda: ((each, NO_FACES) for each in drawings))]


def select_crowds(folder: Path) -> LabelledPhotos:
    """Photos of WIDER FACE's validation part, in `folder`."""
    first, every = CROWDS
    return load_boxes(folder, every, first)


def select_turned(folder: Path) -> LabelledPhotos:
    """The most turned faces of MTFL's training list, without LFW; the report has the list of tests."""
    everybody = read_points(folder, "new_training.txt")
    rows = [row for row, photo in enumerate(everybody.photos) if not photo.name.startswith("lfw")]
    others = LabelledPhotos(tuple(everybody.photos[row] for row in rows), tuple(everybody.faces[row] for row in rows))
    return _every(choose_turned(others, TURNED_SHARE), EVERY_TURNED)


def select_people(config: DetectorConfig, data: Path, build: Path) -> LabelledPhotos:
    """Photos of LFW's validation people."""
    return _every(load_labelled_split(config.people, data, build).validation, EVERY_PERSON)


def select_faceless(config: DetectorConfig, data: Path) -> LabelledPhotos:
    """Photos without people: the sets in the folder `faceless-selection`, without photos that the set of the same name
    in `faceless` has, and the validation photos of the sets that train the refiner.

    Raises DataError if a folder is missing.
    """
    reported: dict[str, set[str]] = {}
    if find_set(data, "faceless"):
        reported = {each.name: {photo.name for photo in each.labels.photos} for each in load_faceless(data, "faceless")}
    photos = list(split_other_photos(config, data)["validation"].no_faces)
    for each in load_faceless(data, "faceless-selection"):
        photos += [photo for photo in each.labels.photos if photo.name not in reported.get(each.name, ())]
    return without_labels(photos)


def cut_tightly(image: Pixels, landmarks: NDArray[np.floating]) -> Sample:
    """Cuts a photo to a square around the face with these landmarks (5, 2) and resizes it to CUT_PIXELS.

    Where the photo ends within the square, so does the cut.
    """
    centre = landmarks.mean(axis=0)
    half = CUT_SIDE / 2 * np.linalg.norm(landmarks - centre, axis=1).mean()
    left, top = np.maximum(centre - half, 0).astype(int)
    right, bottom = np.minimum(centre + half, image.shape[1::-1]).astype(int)
    scale = CUT_PIXELS / max(right - left, bottom - top)
    size = round((right - left) * scale), round((bottom - top) * scale)
    picture = Image.fromarray(image[top:bottom, left:right]).resize(size, Image.Resampling.BICUBIC)
    return np.array(picture), face_from_landmarks((landmarks - (left, top)) * scale)[None]


def _cut_all(photos: LabelledPhotos) -> Iterator[Sample]:
    for image, faces in _decode_all(photos):
        yield cut_tightly(image, faces[0, 5:].reshape(5, 2))


def _as_they_are(name: str, photos: LabelledPhotos) -> SelectionSet:
    return SelectionSet(name, True, len(photos), partial(_decode_all, photos))


def _decode_all(photos: LabelledPhotos) -> Iterator[Sample]:
    for row in range(len(photos)):
        yield photos.decode(row), photos.faces[row]


def _every(photos: LabelledPhotos, step: int) -> LabelledPhotos:
    return LabelledPhotos(photos.photos[::step], photos.faces[::step])
