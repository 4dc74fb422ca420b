"""How well probabilities and recognizability predict errors, on people on whom neither was fitted."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.calibration import Calibration
from training.evaluation.calibration.probability import Curve, fit_curve, llr_cost
from training.metrics.pooling import PooledPairs
from training.metrics.verification import PairScores, bin_centres

PROBABILITY_BINS: Final = 10
MOST_ERROR: Final = 0.015  # standard error of the share of genuine pairs in a bin that is judged
DISCARDED: Final = (0.1, 0.2, 0.3)  # shares of the genuine pairs with the lowest recognizability


def measure_probability(calibration: Calibration, pairs: PairScores) -> dict[str, Any]:
    """Cllr, the lowest Cllr that a rising curve could have on these pairs, and for ten bins of the probability the
    share of genuine pairs, at equal prior odds."""
    return measure_curve(calibration.curve, PooledPairs([pairs]))


def measure_curve(curve: Curve, pooled: PooledPairs) -> dict[str, Any]:
    """The same for a curve of log odds, on several sets of people, each of which counts alike."""
    scores = bin_centres()
    odds = np.interp(scores, *np.array(curve).T)
    genuine, impostor = pooled.densities
    best = np.interp(scores, *np.array(fit_curve(genuine, impostor)).T)
    said = 1 / (1 + np.exp(-odds))
    place = np.minimum((said * PROBABILITY_BINS).astype(int), PROBABILITY_BINS - 1)
    counts = [
        sum(each) for each in zip(*((p.genuine_histogram, p.impostor_histogram) for p in pooled.sets), strict=True)
    ]
    rows = []
    for each in range(PROBABILITY_BINS):
        share_genuine, share_impostor = genuine[place == each].sum(), impostor[place == each].sum()
        weight = (share_genuine + share_impostor) / 2
        if weight > 0:
            mean = float((said * (genuine + impostor))[place == each].sum() / 2 / weight)
            true = float(share_genuine / 2 / weight)
            # Of the ratio of two counts, as if pairs were independent.
            spread = sum(1 / max(float(count[place == each].sum()), 1) for count in counts) ** 0.5
            rows.append({"said": mean, "true": true, "share": float(weight), "error": true * (1 - true) * spread})
    return {
        "cllr": llr_cost(odds, genuine, impostor),
        "lowest_cllr": llr_cost(best, genuine, impostor),
        "bins": rows,
    }


def cross_fit(halves: Sequence[PooledPairs]) -> dict[str, Any]:
    """The curve fitted on one half of the people and tested on the other, both ways: means of what `measure_curve`
    says of the bins. `halves`: the same sets, two disjoint halves of their people."""
    curves = [fit_curve(*half.densities) for half in halves]
    tests = [measure_curve(curve, other) for curve, other in zip(curves, reversed(halves), strict=True)]
    return {"halves": tests, "largest_difference": max(map(largest_difference, tests))}


def largest_difference(report: Any) -> float:
    """Between the probability and the share of genuine pairs, of the bins in which that share is known well enough."""
    rows = [each for each in report["bins"] if is_judged(each)]
    return max((abs(each["said"] - each["true"]) for each in rows), default=0.0)


def is_judged(row: Any) -> bool:
    """Whether a bin has enough pairs of either kind. Of older reports, every bin counts."""
    return bool(row.get("error", 0.0) <= MOST_ERROR)


def measure_discard(
    similarities: NDArray[np.float32], quality: NDArray[np.float32], threshold: float
) -> dict[str, Any]:
    """The FNMR of genuine pairs (P,) at a fixed threshold, of all and without those of the lowest quality (P,).

    Grother and Tabassi 2007, 'Performance of biometric quality measures' (error versus discard).
    """
    rejected = similarities[np.argsort(quality, kind="stable")] < threshold
    kept = {f"{share:g}": float(rejected[int(share * len(rejected)) :].mean()) for share in DISCARDED}
    return {"fnmr": float(rejected.mean()), "without_the_worst": kept}
