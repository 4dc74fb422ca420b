"""How well probabilities and recognizability predict errors, on people on whom neither was fitted."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.calibration import Calibration
from training.evaluation.calibration.probability import fit_curve, llr_cost
from training.metrics.verification import PairScores, bin_centres

PROBABILITY_BINS: Final = 10
DISCARDED: Final = (0.1, 0.2, 0.3)  # shares of the genuine pairs with the lowest recognizability


def measure_probability(calibration: Calibration, pairs: PairScores) -> dict[str, Any]:
    """Cllr, the lowest Cllr that a rising curve could have on these pairs, and for ten bins of the probability the
    share of genuine pairs, at equal prior odds."""
    scores = bin_centres()
    odds = np.array([calibration.log_odds(float(score)) for score in scores])
    genuine = pairs.genuine_histogram / pairs.genuine_histogram.sum()
    impostor = pairs.impostor_histogram / pairs.impostor_histogram.sum()
    best = np.interp(scores, *np.array(fit_curve(genuine, impostor)).T)
    said = 1 / (1 + np.exp(-odds))
    place = np.minimum((said * PROBABILITY_BINS).astype(int), PROBABILITY_BINS - 1)
    rows = []
    for each in range(PROBABILITY_BINS):
        share_genuine, share_impostor = genuine[place == each].sum(), impostor[place == each].sum()
        weight = (share_genuine + share_impostor) / 2
        if weight > 0:
            mean = float((said * (genuine + impostor))[place == each].sum() / 2 / weight)
            rows.append({"said": mean, "true": float(share_genuine / 2 / weight), "share": float(weight)})
    return {
        "cllr": llr_cost(odds, genuine, impostor),
        "lowest_cllr": llr_cost(best, genuine, impostor),
        "bins": rows,
    }


def measure_discard(
    similarities: NDArray[np.float32], quality: NDArray[np.float32], threshold: float
) -> dict[str, Any]:
    """The FNMR of genuine pairs (P,) at a fixed threshold, of all and without those of the lowest quality (P,).

    Grother and Tabassi 2007, 'Performance of biometric quality measures' (error versus discard).
    """
    rejected = similarities[np.argsort(quality, kind="stable")] < threshold
    kept = {f"{share:g}": float(rejected[int(share * len(rejected)) :].mean()) for share in DISCARDED}
    return {"fnmr": float(rejected.mean()), "without_the_worst": kept}
