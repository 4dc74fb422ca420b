"""What a bundle scores on anybody's folder of photos, with a list of pairs or with every pair."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from model.encoder.bundle import Bundle
from training.data.photos import DataError, Pair
from training.data.splits import person_numbers
from training.evaluation.embeddings import FMRS, Scored, supported
from training.metrics.bootstrap import tar_estimates
from training.metrics.identification import one_shot, open_set
from training.metrics.verification import AllPairs, accuracy, best_threshold, equal_error_rate, histogram
from training.provenance import machine

WAYS: Final = (5, 20, 100)
SEARCH_FMRS: Final = (1e-3, 1e-4, 1e-5)


def assess(bundle: Bundle, scored: Scored, folds: Sequence[Sequence[Pair]], data: str, command: str) -> dict[str, Any]:
    """Verification by the listed pairs of `folds` and by every pair, N-way one-shot, and open-set identification, as
    far as the photos allow. `data` says in words what they are.

    Raises DataError where the bundle is not calibrated, or a pair names a photo that is not there.
    """
    calibration = bundle.metadata.calibration
    if calibration is None:
        raise DataError("The bundle is not calibrated. Run `python -m training calibrate` first.")
    pairs = scored.all_pairs()
    fmrs = supported(pairs, FMRS)
    report: dict[str, Any] = {
        "command": command,
        "machine": machine(),
        "data": data,
        "bundle": {"name": bundle.metadata.name, "encoder_id": bundle.metadata.encoder_id},
        "photos_without_face": list(scored.missing),
        "all_pairs": {
            "people": pairs.people,
            "photos": int(pairs.photos.sum()),
            "genuine_pairs": len(pairs.genuine),
            "impostor_pairs": pairs.impostor_pairs,
        },
        **identification(scored, pairs),
    }
    if len(pairs.genuine) and pairs.impostor_pairs:
        threshold = calibration.at_fmr().threshold
        report["all_pairs"] |= {
            "eer": equal_error_rate(pairs.genuine_histogram, pairs.impostor_histogram),
            "tar_at_fmr": {f"{fmr:g}": asdict(tar) for fmr, tar in zip(fmrs, tar_estimates(pairs, fmrs), strict=True)},
            "at_default_threshold": {
                "threshold": threshold,
                "fmr_promised": calibration.at_fmr().fmr,
                "fmr": pairs.fmr_at(threshold),
                "fnmr": float((pairs.genuine < threshold).mean()),
            },
        }
    if folds:
        report["listed_pairs"] = _listed(scored, folds, calibration.at_fmr().threshold)
    return report


def identification(scored: Scored, pairs: AllPairs) -> dict[str, Any]:
    """N-way one-shot and open-set identification among the photos with a face, as far as there are people enough."""
    people = person_numbers([name.split("/")[0] for name in scored.names])
    report: dict[str, Any] = {}
    counts = np.bincount(people)
    if counts.max(initial=0) < 2 or len(counts) < 2:
        return report
    report["one_shot"] = {str(ways): one_shot(scored.vectors, people, ways) for ways in WAYS if len(counts) >= ways}
    fmrs = supported(pairs, SEARCH_FMRS)
    thresholds = [pairs.threshold_at(fmr) for fmr in fmrs]
    report["open_set"] = asdict(open_set(scored.vectors, people, thresholds, fmrs))
    return report


def _listed(scored: Scored, folds: Sequence[Sequence[Pair]], threshold: float) -> dict[str, Any]:
    """Each fold at the operating point, and at the threshold that is best on the other folds (on a single fold's own
    pairs where it is the only one, which flatters, and the name says so)."""
    scores = [scored.similarities(fold) for fold in folds]
    same = [np.array([pair.same for pair in fold]) for fold in folds]
    everything, truth = np.concatenate(scores), np.concatenate(same)
    at_point = [accuracy(*each, threshold) for each in zip(scores, same, strict=True)]
    report: dict[str, Any] = {
        "pairs": len(everything),
        "folds": len(folds),
        "accuracy_at_operating_point": _over_folds(at_point),
    }
    if truth.any() and not truth.all():
        report["eer"] = equal_error_rate(histogram(everything[truth]), histogram(everything[~truth]))
    if len(folds) == 1:
        report["accuracy_at_best_threshold_for_these_very_pairs"] = accuracy(
            everything, truth, best_threshold(everything, truth)
        )
        return report
    chosen = []
    for number, (own, own_same) in enumerate(zip(scores, same, strict=True)):
        rest = [part for part in range(len(folds)) if part != number]
        best = best_threshold(np.concatenate([scores[i] for i in rest]), np.concatenate([same[i] for i in rest]))
        chosen.append(accuracy(own, own_same, best))
    report["accuracy_at_best_threshold_of_other_folds"] = _over_folds(chosen)
    return report


def _over_folds(values: Sequence[float]) -> dict[str, Any]:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return {"value": float(np.mean(values)), "standard_error": error, "each": list(values)}
