"""A bundle's vectors of some people's photos, and the scores of their pairs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.encoder.bundle import Bundle
from training.data.crops import PreparedFaces
from training.data.photos import DataError, Pair
from training.data.splits import person_numbers, rows_of
from training.evaluation.calibration import LEAST_FALSE_MATCHES
from training.metrics.verification import MISSING, AllPairs, all_pairs
from training.optimization.distributed import pick_device

BATCH: Final = 256
FMRS: Final = (1e-2, 1e-3, 1e-4, 1e-5)


@dataclass(frozen=True)
class Scored:
    """A bundle's vectors of some people's photos, and the photos in which no face was found."""

    vectors: NDArray[np.float32]  # (N, D)
    names: tuple[str, ...]
    missing: tuple[str, ...]

    def similarities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """Of listed pairs (P,); MISSING where a photo has no face. Raises DataError on a photo that is not there."""
        row_of = {name: row for row, name in enumerate(self.names)}
        lost = set(self.missing)
        unknown = {name for pair in pairs for name in (pair.first, pair.second)} - set(row_of) - lost
        if unknown:
            raise DataError(f"{len(unknown)} photos of the pairs are not among the prepared, such as {min(unknown)}.")
        return np.array(
            [
                MISSING
                if pair.first in lost or pair.second in lost
                else float(self.vectors[row_of[pair.first]] @ self.vectors[row_of[pair.second]])
                for pair in pairs
            ]
        )

    def without(self, photos: Collection[str]) -> "Scored":
        """The same, as if these photos had not been."""
        kept = [row for row, name in enumerate(self.names) if name not in photos]
        missing = tuple(name for name in self.missing if name not in photos)
        return Scored(self.vectors[kept], tuple(self.names[row] for row in kept), missing)

    def all_pairs(self) -> AllPairs:
        people = [name.split("/")[0] for name in (*self.names, *self.missing)]
        numbers = person_numbers(people)
        return all_pairs(self.vectors, numbers[: len(self.names)], numbers[len(self.names) :])


def embed(bundle: Bundle, faces: PreparedFaces, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Unit vectors (n, D) of these rows. Raises DataError where the crops were made for another encoder."""
    if faces.crops.shape[1] - 2 * faces.margin != bundle.metadata.crop_size:
        raise DataError(f"The prepared crops do not fit the bundle's {bundle.metadata.crop_size} px.")
    device = pick_device()
    encoder = bundle if device.type == "cpu" else replace(bundle, module=bundle.module.to(device))
    batches = [encoder.encode(faces.central(rows[start : start + BATCH])) for start in range(0, len(rows), BATCH)]
    return np.concatenate(batches)


def score(bundle: Bundle, faces: PreparedFaces, people: frozenset[str]) -> Scored:
    """Encodes every photo of these people. Raises DataError where the crops were made for another encoder."""
    rows = rows_of(faces.people, people)
    vectors = embed(bundle, faces, rows)
    missing = tuple(sorted(name for name in faces.missing if name.split("/")[0] in people))
    return Scored(vectors, tuple(faces.names[row] for row in rows), missing)


def supported(pairs: AllPairs, fmrs: Sequence[float]) -> list[float]:
    """Those of the rates that enough false matches stand behind."""
    return [fmr for fmr in fmrs if fmr * pairs.impostor_pairs >= LEAST_FALSE_MATCHES]
