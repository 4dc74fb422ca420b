"""Scores presentations through the code that serves requests."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from model.alignment import chip_template
from model.detector.factory import open_detector
from model.errors import PhotoError
from model.liveness.bundle import LivenessBundle
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.errors import DataError
from training.data.photos import hash_photos
from training.liveness.presentations import Kind, PresentationSet

ALIGNED_SIZE: Final = 112  # pixels, of the crop that the quality is assessed on


@dataclass(frozen=True)
class ScoredSet:
    """The presentations of a set on which a face was found, and how many of each kind had none."""

    source: PresentationSet
    kinds: NDArray[np.str_]  # (P,)
    people: NDArray[np.str_]  # (P,)
    scores: NDArray[np.float32]  # (P,)
    qualities: NDArray[np.float32]  # (P,): 0..1, see model/quality.py
    without_face: dict[str, int]

    def select(self, kind: Kind, people: frozenset[str] | None = None) -> NDArray[np.bool_]:
        """Which presentations (P,) are of this kind and, if they are given, of these people."""
        chosen = self.kinds == kind.value
        shown = np.ones(len(chosen), np.bool_) if people is None else np.isin(self.people, sorted(people))
        return np.asarray(chosen & shown, np.bool_)


def score_set(source: PresentationSet, bundle: LivenessBundle, build: Path) -> ScoredSet:
    """Scores the largest face of each photo, or loads the scores that the same networks gave the same photos before.

    The scores are kept below `build`. Raises DataError if the detector is not the one of the crop rule, and if a photo
    cannot be read.
    """
    detector = open_detector()
    if detector.name != bundle.metadata.detector:
        raise DataError(f"{bundle.path} is for the detector {bundle.metadata.detector}. Export it again.")
    photos = hash_photos([each.photo for each in source.presentations])
    labels = json.dumps([[each.kind.value, each.person] for each in source.presentations])
    key = hashlib.sha256(f"{bundle.metadata.liveness_id} {photos} {labels}".encode()).hexdigest()
    file = build / "liveness" / f"{source.name}-{key[:16]}.npz"
    if not file.is_file():
        _write_scores(file, source, bundle, PhotoReader(detector, chip_template(ALIGNED_SIZE), ALIGNED_SIZE))
    with np.load(file, allow_pickle=False) as stored:
        kinds, people, scores, qualities = (stored[name] for name in ("kinds", "people", "scores", "qualities"))
        return ScoredSet(source, kinds, people, scores, qualities, json.loads(str(stored["without_face"])))


def _write_scores(file: Path, source: PresentationSet, bundle: LivenessBundle, reader: PhotoReader) -> None:
    kinds, people, scores, qualities = [], [], [], []
    without_face: dict[str, int] = {}
    for each in track(source.presentations, source.name):
        try:
            face = reader.read(each.photo.read(), FaceSelection.LARGEST, bundle.metadata.crop_rule.cut)
        except PhotoError:
            without_face[each.kind.value] = without_face.get(each.kind.value, 0) + 1
            continue
        assert face.surroundings is not None
        kinds.append(each.kind.value)
        people.append(each.person)
        scores.append(bundle.judge(face.surroundings[None])[0])
        qualities.append(face.quality.score)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez(
            stream,
            kinds=np.array(kinds, np.str_),
            people=np.array(people, np.str_),
            scores=np.array(scores, np.float32),
            qualities=np.array(qualities, np.float32),
            without_face=json.dumps(without_face),
        )
    partial.replace(file)
