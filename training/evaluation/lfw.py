"""The evaluation of an exported bundle on LFW's test people: View 1's listed pairs, and every pair."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from model.encoder.bundle import Bundle
from training.data.errors import DataError
from training.data.pairs import Pair
from training.evaluation.calibration.points import require_calibration
from training.evaluation.embeddings import FMRS, Embeddings, supported_fmrs
from training.evaluation.folder import evaluate_identification
from training.evaluation.trust.report import evaluate_people
from training.metrics.bootstrap import Estimate, bootstrap_tar, estimate_tar, summarise_replicates
from training.metrics.verification import PairScores, accuracy, best_threshold, equal_error_rate
from training.provenance import describe_machine


def evaluate_lfw(bundle: Bundle, embeddings: Embeddings, listed: Sequence[Pair], command: str) -> dict[str, Any]:
    """The report that goes into the bundle.

    The listed pairs are decided at two thresholds that were set on the calibration people: the default operating point,
    and the score at which same and different are equally likely. Raises DataError if the bundle is not calibrated.
    """
    calibration = require_calibration(bundle.metadata)
    same = np.array([pair.same for pair in listed])
    similarities = embeddings.similarities(listed)
    point = calibration.at_fmr()
    even_odds = calibration.even_odds
    pairs = embeddings.all_pairs()
    fmrs = supported_fmrs(pairs, FMRS)
    tars = estimate_tar(pairs, fmrs)
    return {
        "command": command,
        "machine": describe_machine(),
        "photos_without_face": list(embeddings.missing),
        "view1": {
            "protocol": "LFW View 1, pairsDevTest.txt",
            "pairs": len(listed),
            "accuracy_at_operating_point": _with_error(accuracy(similarities, same, point.threshold), len(listed)),
            "accuracy_at_even_odds": _with_error(accuracy(similarities, same, even_odds), len(listed)),
            "threshold_at_even_odds": even_odds,
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
        **evaluate_identification(embeddings, pairs),
        "people": evaluate_people(bundle, embeddings, pairs),
    }


def compare_tar(first: PairScores, second: PairScores) -> Mapping[float, Estimate]:
    """TAR of the second minus TAR of the first at each FMR that the pairs support, by a paired bootstrap over people.

    Raises DataError if the two were not scored on the same people and photos.
    """
    if not np.array_equal(first.photos, second.photos):
        raise DataError("The two bundles were not scored on the same photos. Prepare the photos again for both.")
    fmrs = supported_fmrs(first, FMRS)
    replicates = bootstrap_tar(second, fmrs) - bootstrap_tar(first, fmrs)
    return {
        fmr: summarise_replicates(second.tar_at(fmr) - first.tar_at(fmr), replicates[:, column])
        for column, fmr in enumerate(fmrs)
    }


def _with_error(rate: float, count: int) -> dict[str, float]:
    """A share of `count` independent pairs with its binomial standard error."""
    return {"value": rate, "standard_error": float(np.sqrt(rate * (1 - rate) / count))}
