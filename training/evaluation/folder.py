"""The evaluation of a bundle on a user's own folder of photos."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from model.encoder.bundle import Bundle
from training.data.errors import DataError
from training.data.pairs import Pair
from training.data.splits import label_people
from training.evaluation.calibration.points import require_calibration
from training.evaluation.embeddings import FMRS, Embeddings, supported_fmrs
from training.metrics.bootstrap import estimate_tar
from training.metrics.identification import evaluate_one_shot, evaluate_open_set
from training.metrics.verification import PairScores, accuracy, best_threshold, equal_error_rate, histogram
from training.provenance import describe_machine

WAYS: Final = (5, 20, 100)
SEARCH_FMRS: Final = (1e-3, 1e-4, 1e-5)


def evaluate_folder(
    bundle: Bundle, embeddings: Embeddings, folds: Sequence[Sequence[Pair]], data: str, command: str
) -> dict[str, Any]:
    """Verification on the listed pairs of `folds` and on every pair, N-way one-shot classification and open-set
    identification, as far as the photos allow. `data` describes the photos in words.

    Raises DataError if the bundle is not calibrated, a fold is empty, or a pair names a photo that is not there.
    """
    point = require_calibration(bundle.metadata).at_fmr()
    if not all(folds):
        raise DataError("The list of pairs has a fold without pairs.")
    pairs = embeddings.all_pairs()
    fmrs = supported_fmrs(pairs, FMRS)
    report: dict[str, Any] = {
        "command": command,
        "machine": describe_machine(),
        "data": data,
        "bundle": {"name": bundle.metadata.name, "encoder_id": bundle.metadata.encoder_id},
        "photos_without_face": list(embeddings.missing),
        "all_pairs": {
            "people": pairs.people,
            "photos": int(pairs.photos.sum()),
            "genuine_pairs": len(pairs.genuine),
            "impostor_pairs": pairs.impostor_pairs,
        },
        **evaluate_identification(embeddings, pairs),
    }
    if pairs.genuine_histogram.any() and pairs.impostor_histogram.any():
        report["all_pairs"] |= {
            "eer": equal_error_rate(pairs.genuine_histogram, pairs.impostor_histogram),
            "tar_at_fmr": {f"{fmr:g}": asdict(tar) for fmr, tar in zip(fmrs, estimate_tar(pairs, fmrs), strict=True)},
            "at_default_threshold": {
                "threshold": point.threshold,
                "fmr_promised": point.fmr,
                "fmr": pairs.fmr_at(point.threshold),
                "fnmr": float((pairs.genuine < point.threshold).mean()),
            },
        }
    if folds:
        report["listed_pairs"] = _evaluate_listed_pairs(embeddings, folds, point.threshold)
    return report


def evaluate_identification(embeddings: Embeddings, pairs: PairScores) -> dict[str, Any]:
    """N-way one-shot classification and open-set identification on the photos with a face, as far as there are enough
    people. Empty if nobody has two photos or there is only one person."""
    people = label_people([name.split("/")[0] for name in embeddings.names])
    photos_of = np.bincount(people)
    if photos_of.max(initial=0) < 2 or len(photos_of) < 2:
        return {}
    fmrs = supported_fmrs(pairs, SEARCH_FMRS)
    thresholds = [pairs.threshold_at(fmr) for fmr in fmrs]
    ways = [count for count in WAYS if len(photos_of) >= count]
    return {
        "one_shot": {str(count): evaluate_one_shot(embeddings.vectors, people, count) for count in ways},
        "open_set": asdict(evaluate_open_set(embeddings.vectors, people, thresholds, fmrs)),
    }


def _evaluate_listed_pairs(embeddings: Embeddings, folds: Sequence[Sequence[Pair]], threshold: float) -> dict[str, Any]:
    """Accuracy of each fold at `threshold` and at the best threshold of the other folds.

    With a single fold, the best threshold is chosen on its own pairs. That is optimistic, and the key says so.
    """
    scores = [embeddings.similarities(fold) for fold in folds]
    same = [np.array([pair.same for pair in fold]) for fold in folds]
    all_scores, all_same = np.concatenate(scores), np.concatenate(same)
    report: dict[str, Any] = {
        "pairs": len(all_scores),
        "folds": len(folds),
        "accuracy_at_operating_point": _mean_over_folds(
            [accuracy(*fold, threshold) for fold in zip(scores, same, strict=True)]
        ),
    }
    if all_same.any() and not all_same.all():
        report["eer"] = equal_error_rate(histogram(all_scores[all_same]), histogram(all_scores[~all_same]))
    if len(folds) == 1:
        report["accuracy_at_best_threshold_for_these_very_pairs"] = accuracy(
            all_scores, all_same, best_threshold(all_scores, all_same)
        )
        return report
    accuracies = []
    for number, (own_scores, own_same) in enumerate(zip(scores, same, strict=True)):
        others = [other for other in range(len(folds)) if other != number]
        best = best_threshold(np.concatenate([scores[i] for i in others]), np.concatenate([same[i] for i in others]))
        accuracies.append(accuracy(own_scores, own_same, best))
    report["accuracy_at_best_threshold_of_other_folds"] = _mean_over_folds(accuracies)
    return report


def _mean_over_folds(values: Sequence[float]) -> dict[str, Any]:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return {"value": float(np.mean(values)), "standard_error": error, "each": list(values)}
