"""What the exported bundle scores: View 1's listed pairs, and every pair among the test people's photos."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from model.encoder.bundle import Bundle
from training.data.photos import DataError, Pair
from training.evaluation.embeddings import FMRS, Scored, supported
from training.evaluation.folder import identification
from training.metrics.bootstrap import Estimate, summarise, tar_estimates, tar_replicates
from training.metrics.verification import AllPairs, accuracy, best_threshold, equal_error_rate
from training.provenance import machine


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
    fmrs = supported(pairs, FMRS)
    tars = tar_estimates(pairs, fmrs)
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
                "fmr": pairs.fmr_at(point.threshold),
                "fnmr": float((pairs.genuine < point.threshold).mean()),
            },
        },
        **identification(scored, pairs),
    }


def compare(first: AllPairs, second: AllPairs) -> Mapping[float, Estimate]:
    """TAR of the second minus TAR of the first at each FMR that the pairs support, by a bootstrap paired over the same
    people.

    Raises DataError where they are not the same people and photos.
    """
    if not np.array_equal(first.photos, second.photos):
        raise DataError("The two were not scored on the same photos.")
    fmrs = supported(first, FMRS)
    difference = tar_replicates(second, fmrs) - tar_replicates(first, fmrs)
    return {fmr: summarise(second.tar_at(fmr) - first.tar_at(fmr), difference[:, i]) for i, fmr in enumerate(fmrs)}


def _binomial(rate: float, count: int) -> dict[str, float]:
    return {"value": rate, "standard_error": float(np.sqrt(rate * (1 - rate) / count))}
