"""What the exported bundle scores: View 1's listed pairs, and every pair among the test people's photos."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle import Bundle
from training.bootstrap import Estimate, summarise, tar_estimates, tar_replicates
from training.calibrate import LEAST_FALSE_MATCHES
from training.data import person_numbers, rows_of
from training.photos import DataError, Pair
from training.prepare import PreparedFaces
from training.protocols import MISSING, AllPairs, accuracy, all_pairs, best_threshold, equal_error_rate
from training.provenance import machine
from training.train import embed_rows, pick_device

FMRS = (1e-2, 1e-3, 1e-4, 1e-5)


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

    def all_pairs(self) -> AllPairs:
        people = [name.split("/")[0] for name in (*self.names, *self.missing)]
        numbers = person_numbers(people)
        return all_pairs(self.vectors, numbers[: len(self.names)], numbers[len(self.names) :])


def embed(bundle: Bundle, faces: PreparedFaces, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Unit vectors (n, D) of these rows. Raises DataError where the crops were made for another encoder."""
    if faces.crops.shape[1] - 2 * faces.margin != bundle.metadata.crop_size:
        raise DataError(f"The prepared crops do not fit the bundle's {bundle.metadata.crop_size} px.")
    return embed_rows(bundle.module.to(pick_device()), faces, rows, pick_device())


def score(bundle: Bundle, faces: PreparedFaces, people: frozenset[str]) -> Scored:
    """Encodes every photo of these people. Raises DataError where the crops were made for another encoder."""
    rows = rows_of(faces.people, people)
    vectors = embed(bundle, faces, rows)
    missing = tuple(sorted(name for name in faces.missing if name.split("/")[0] in people))
    return Scored(vectors, tuple(faces.names[row] for row in rows), missing)


def evaluate(bundle: Bundle, scored: Scored, listed: Sequence[Pair], command: str) -> dict[str, Any]:
    """The report that goes into the bundle. The listed pairs are decided at two thresholds, fixed beforehand on the
    calibration people: the default operating point, and where same and different are equally likely.

    Raises DataError where the bundle is not calibrated.
    """
    calibration = bundle.metadata.calibration
    if calibration is None:
        raise DataError("The bundle is not calibrated. Run `python -m training calibrate` first.")
    same = np.array([pair.same for pair in listed])
    similarities = scored.similarities(listed)
    point = calibration.at_fmr()
    even = -calibration.intercept / calibration.slope
    pairs = scored.all_pairs()
    fmrs = _supported(pairs, FMRS)
    tars = tar_estimates(pairs, fmrs)
    at_point = float((pairs.impostor >= point.threshold).sum()) / pairs.impostor_pairs
    return {
        "command": command,
        "machine": machine(),
        "photos_without_face": list(scored.missing),
        "view1": {
            "protocol": "LFW View 1, pairsDevTest.txt",
            "pairs": len(listed),
            "accuracy_at_operating_point": _binomial(accuracy(similarities, same, point.threshold), len(listed)),
            "accuracy_at_even_odds": _binomial(accuracy(similarities, same, even), len(listed)),
            "threshold_at_even_odds": even,
            "accuracy_at_best_threshold": accuracy(similarities, same, best_threshold(similarities, same)),
        },
        "all_pairs": {
            "protocol": "every pair of the photos of peopleDevTest.txt; standard errors by bootstrap over people",
            "people": pairs.people,
            "photos": int(pairs.photos.sum()),
            "genuine_pairs": len(pairs.genuine),
            "impostor_pairs": pairs.impostor_pairs,
            "tar_at_fmr": {f"{fmr:g}": asdict(tar) for fmr, tar in zip(fmrs, tars, strict=True)},
            "eer": equal_error_rate(pairs.genuine_histogram, pairs.impostor_histogram),
            "at_default_threshold": {
                "threshold": point.threshold,
                "fmr_promised": point.fmr,
                "fmr": at_point,
                "fnmr": float((pairs.genuine < point.threshold).mean()),
            },
        },
    }


def compare(first: AllPairs, second: AllPairs) -> Mapping[float, Estimate]:
    """TAR of the second minus TAR of the first at each FMR that the pairs support, by a bootstrap paired over the same
    people.

    Raises DataError where they are not the same people and photos.
    """
    if not np.array_equal(first.photos, second.photos):
        raise DataError("The two were not scored on the same photos.")
    fmrs = _supported(first, FMRS)
    difference = tar_replicates(second, fmrs) - tar_replicates(first, fmrs)
    return {fmr: summarise(second.tar_at(fmr) - first.tar_at(fmr), difference[:, i]) for i, fmr in enumerate(fmrs)}


def _supported(pairs: AllPairs, fmrs: Sequence[float]) -> list[float]:
    return [fmr for fmr in fmrs if fmr * pairs.impostor_pairs >= LEAST_FALSE_MATCHES]


def _binomial(rate: float, count: int) -> dict[str, float]:
    return {"value": rate, "standard_error": float(np.sqrt(rate * (1 - rate) / count))}
