"""The candidates that train and validate the refiner: patches around what YuNet takes for faces, labelled.

Faces come from photos of people, non-faces from photos without people, from the surroundings of people, and from photos
that were rotated, in which YuNet finds faces at the wrong angle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from model.alignment import align, chip_template, similarity_transform
from model.detector.levels import base_factor, reduce_image
from model.detector.yunet import YuNet
from model.images import Pixels
from training.data.errors import DataError
from training.detector.metrics import pairwise_iou
from training.detector.pseudo_labels import LabelledPhotos

RULES: Final = 2  # the version of the rules below: candidates that were kept by other rules are collected again
PATCH_TEMPLATE_SIZE: Final = 72  # pixels: the template in a patch is that of a crop of this size ...
PATCH_MARGIN: Final = 30  # ... with these surroundings on each side
PATCH_SIZE: Final = PATCH_TEMPLATE_SIZE + 2 * PATCH_MARGIN
LEAST_SCORE: Final = 0.03  # of YuNet's candidates
CERTAIN_LABEL: Final = 0.95  # score of a pseudo-label from which on it is a face
LIKELY_LABEL: Final = 0.7  # score of a pseudo-label that is a face, without landmarks, if YuNet's score is at least ...
LIKELY_CANDIDATE: Final = 0.5  # ... this
DOUBTFUL_CANDIDATE: Final = 0.3  # an unlabelled candidate of this score is most likely a face that the labels lack ...
CERTAIN_CANDIDATE: Final = 0.7  # ... and one of this score is taken for one, without landmarks
MATCH_IOU: Final = 0.3
APART_IOU: Final = 0.1  # a candidate that overlaps a label less than this is another thing
WRONG_ANGLE: Final = 0.5  # spreads between landmarks, from which on they are those of another angle
MOST_PER_PHOTO: Final = 4  # non-faces


@dataclass(frozen=True)
class Candidates:
    """N patches and their labels."""

    patches: NDArray[np.uint8]  # (N, PATCH_SIZE, PATCH_SIZE, 3)
    landmarks: NDArray[np.float32]  # (N, 10) in pixels of the patch: the true ones, or where they are not known YuNet's
    is_face: NDArray[np.bool_]  # (N,)
    has_landmarks: NDArray[np.bool_]  # (N,): whether `landmarks` are true

    def __len__(self) -> int:
        return len(self.patches)

    def save(self, path: Path) -> None:
        """Writes the arrays atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **{each.name: getattr(self, each.name) for each in fields(self)})
        partial.replace(path)


def load_candidates(path: Path) -> Candidates:
    """Reads what `save` wrote."""
    with np.load(path) as arrays:
        return Candidates(**{each.name: arrays[each.name] for each in fields(Candidates)})


@dataclass(frozen=True)
class _Example:
    patch: Pixels
    landmarks: NDArray[np.float32]
    is_face: bool
    has_landmarks: bool


def collect_candidates(
    yunet: YuNet, people: LabelledPhotos, faces: LabelledPhotos, no_faces: LabelledPhotos
) -> Candidates:
    """Collects the candidates of people with pseudo-labels, of portraits without, and of photos without people.

    The largest candidate of each of `faces` is a face. Raises DataError naming a photo that cannot be decoded.
    """
    examples: list[_Example] = []
    for row in track(range(len(people)), "Photos of people"):
        examples += _label_photo(yunet, people.decode(row), people.faces[row], quarter_turns=row % 4)
    for row in track(range(len(faces)), "Portraits"):
        examples += _label_portrait(yunet, faces.decode(row))
    for row in track(range(len(no_faces)), "Photos without people"):
        image = no_faces.decode(row)
        for factor in {base_factor(*image.shape[:2]), max(base_factor(*image.shape[:2]) // 2, 1)}:
            found = find_candidates(yunet, image, factor)
            examples += [_make_example(image, each, False) for each in found[: 2 * MOST_PER_PHOTO]]
    return _stack(examples)


@torch.inference_mode()
def find_candidates(yunet: YuNet, image: Pixels, factor: int) -> NDArray[np.float32]:
    """YuNet's candidates in a photo that is reduced by `factor`, (F, 15) in pixels of the photo, best first."""
    reduced = reduce_image(image, factor)
    (found,) = yunet(torch.from_numpy(reduced)[None], LEAST_SCORE)
    candidates = found.numpy()
    candidates[:, [0, 1, 2, 3, *range(5, 15)]] *= factor
    return np.asarray(candidates, np.float32)


def _label_photo(yunet: YuNet, image: Pixels, labels: NDArray[np.float32], quarter_turns: int) -> Iterator[_Example]:
    for label in labels[labels[:, 4] >= CERTAIN_LABEL]:
        yield _make_example(image, label, True, has_landmarks=True)
    factor = base_factor(*image.shape[:2])
    found = find_candidates(yunet, image, factor)
    closer = find_candidates(yunet, image, factor // 2) if factor > 1 else found
    for each in _unlabelled_faces(np.concatenate([closer, found]), labels):
        yield _make_example(image, each, True)
    # Neither MTCNN nor YuNet, at either resolution, takes a negative for a face.
    faces = np.concatenate([labels[:, :4], closer[closer[:, 4] >= DOUBTFUL_CANDIDATE, :4]])
    apart = pairwise_iou(found[:, :4], faces).max(axis=1, initial=0.0) < APART_IOU
    for each in found[apart & (found[:, 4] < DOUBTFUL_CANDIDATE)][:MOST_PER_PHOTO]:
        yield _make_example(image, each, False)
    if quarter_turns:
        yield from _label_rotated(yunet, image, labels, quarter_turns)


def _unlabelled_faces(candidates: NDArray[np.float32], labels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The hard faces: those that MTCNN missed or doubted and YuNet found. Each face is given once."""
    known = labels[labels[:, 4] >= CERTAIN_LABEL, :4]
    likely = labels[(labels[:, 4] >= LIKELY_LABEL) & (labels[:, 4] < CERTAIN_LABEL), :4]
    faces: list[NDArray[np.float32]] = []
    for each in candidates[np.argsort(-candidates[:, 4], kind="stable")]:
        box = each[None, :4]
        least = LIKELY_CANDIDATE if (pairwise_iou(box, likely) >= MATCH_IOU).any() else CERTAIN_CANDIDATE
        others = np.concatenate([known, *(face[None, :4] for face in faces)])
        if each[4] >= least and not (pairwise_iou(box, others) >= APART_IOU).any():
            faces.append(each)
    return faces


def _label_rotated(yunet: YuNet, image: Pixels, labels: NDArray[np.float32], quarter_turns: int) -> Iterator[_Example]:
    """Candidates on a face of the rotated photo whose landmarks are not those of the face."""
    rotated = np.rot90(image, quarter_turns).copy()
    centre = np.array(image.shape[1::-1]) / 2
    turn = np.array([[0, 1], [-1, 0]])  # of coordinates, for one quarter turn counter-clockwise
    linear = np.linalg.matrix_power(turn, quarter_turns)
    for each in find_candidates(yunet, rotated, base_factor(*rotated.shape[:2]))[:MOST_PER_PHOTO]:
        landmarks = each[5:].reshape(5, 2)
        for label in labels:
            true = (label[5:].reshape(5, 2) - centre) @ linear.T + np.array(rotated.shape[1::-1]) / 2
            # The spread is near the eye distance of a frontal face, and in profile, too.
            spread = float(np.linalg.norm(true - true.mean(axis=0), axis=1).mean()) + 1e-6
            near = np.linalg.norm(landmarks.mean(axis=0) - true.mean(axis=0)) < spread
            if near and np.linalg.norm(landmarks - true, axis=1).mean() > WRONG_ANGLE * spread:
                yield _make_example(rotated, each, False)


def _label_portrait(yunet: YuNet, image: Pixels) -> Iterator[_Example]:
    found = find_candidates(yunet, image, base_factor(*image.shape[:2]))
    found = found[found[:, 4] >= DOUBTFUL_CANDIDATE]
    if len(found):
        sides = found[:, 2:4] - found[:, :2]
        yield _make_example(image, found[sides.prod(axis=1).argmax()], True)


def _make_example(image: Pixels, face: NDArray[np.float32], is_face: bool, has_landmarks: bool = False) -> _Example:
    template = chip_template(PATCH_TEMPLATE_SIZE) + PATCH_MARGIN
    landmarks = face[5:].reshape(5, 2).astype(np.float64)
    patch = align(image, landmarks, template, PATCH_SIZE)
    linear = similarity_transform(landmarks, template)
    in_patch = landmarks @ linear[:, :2].T + linear[:, 2]
    return _Example(patch, in_patch.ravel().astype(np.float32), is_face, has_landmarks)


def _stack(examples: Sequence[_Example]) -> Candidates:
    if not examples:
        raise DataError("No candidate was found on any photo. Check the photos.")
    return Candidates(
        np.stack([each.patch for each in examples]),
        np.stack([each.landmarks for each in examples]),
        np.array([each.is_face for each in examples]),
        np.array([each.has_landmarks for each in examples]),
    )
