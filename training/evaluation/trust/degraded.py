"""Crops of strangers whose photos share a defect: do they match each other for it?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from model.encoder.encoding import Encoding, join_encodings
from training.data.degradations import KINDS, degrade

SEED: Final = 17
BATCH: Final = 64
FACELESS: Final = "no face"


@dataclass(frozen=True)
class DegradedFaces:
    """One kind of defect: the encodings of the crops with it, (N, D) and (N,), one photo of each person."""

    kind: str
    encoding: Encoding

    @property
    def recognizability(self) -> NDArray[np.float32]:
        """Of each face, (N,); 1 if the encoder does not say."""
        judged = self.encoding.recognizability
        return np.ones(len(self.encoding), np.float32) if judged is None else judged


def degrade_all(
    crops: NDArray[np.uint8], encode: Callable[[NDArray[np.uint8]], Encoding], kinds: Sequence[str] = tuple(KINDS)
) -> list[DegradedFaces]:
    """Encodes crops (N, S, S, 3) after each kind of degradation, always the same ones."""
    faces = []
    for kind in kinds:
        generator = torch.Generator().manual_seed(SEED)
        parts = []
        for start in range(0, len(crops), BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(crops[start : start + BATCH]))
            parts.append(encode(degrade(batch, kind, generator).numpy()))
        faces.append(DegradedFaces(kind, join_encodings(parts)))
    return faces


def impostor_scores(faces: DegradedFaces) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The cosines of all pairs, (P,), and the lower recognizability of each pair, (P,)."""
    first, second = np.triu_indices(len(faces.encoding), 1)
    vectors = faces.encoding.vectors
    judged = faces.recognizability
    return (vectors @ vectors.T)[first, second], np.minimum(judged[first], judged[second])


def rates_by_kind(
    kinds: Sequence[DegradedFaces],
    threshold: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    refused_below: float,
) -> Mapping[str, Mapping[str, float]]:
    """For each kind: the FMR of all its pairs, refused pairs counting as not matched, and the share of refused photos.

    `threshold` gives that of each pair from its lower recognizability.
    """
    rates = {}
    for each in kinds:
        scores, judged = impostor_scores(each)
        matched = (scores >= threshold(judged)) & (judged >= refused_below)
        rates[each.kind] = {
            "people": float(len(each.encoding)),
            "fmr": float(matched.mean()),
            "refused": float((each.recognizability < refused_below).mean()),
        }
    return rates
