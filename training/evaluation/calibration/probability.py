"""The probability that two photos show the same person: isotonic regression of the log odds on the similarity.

Zadrozny and Elkan 2002, 'Transforming classifier scores into accurate multiclass probability estimates'. It assumes
only that a higher similarity never makes 'same person' less likely.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.metrics.verification import bin_centres

# Shares of the genuine scores below, and of the impostor scores above, that bound the groups of similarities.
EDGES: Final = (5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
# Wrong labels and twins are among the pairs, so no more certainty than this is claimed.
MOST_CERTAIN: Final = 1e-4  # the lowest probability of the unlikelier answer

Curve = tuple[tuple[float, float], ...]


def fit_curve(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> Curve:
    """Pairs of similarity and log odds at equal prior odds, both rising, from histograms (BINS,) with the sum 1."""
    from scipy.optimize import isotonic_regression

    scores = bin_centres()
    edges = {float(np.interp(share, np.cumsum(genuine), scores)) for share in EDGES}
    edges |= {float(np.interp(1 - share, np.cumsum(impostor), scores)) for share in EDGES}
    group = np.searchsorted(sorted(edges), scores)  # (BINS,)
    groups = range(len(edges) + 1)
    mass = np.array([[genuine[group == each].sum(), impostor[group == each].sum()] for each in groups])  # (G, 2)
    weight = mass.sum(axis=1)
    filled = weight > 0
    centre = np.array(
        [
            np.average(scores[group == each], weights=(genuine + impostor)[group == each])
            for each in groups
            if filled[each]
        ]
    )
    mass, weight = mass[filled], weight[filled]
    probability = isotonic_regression(mass[:, 0] / weight, weights=weight).x.clip(MOST_CERTAIN, 1 - MOST_CERTAIN)
    return tuple((float(s), math.log(p / (1 - p))) for s, p in zip(centre, probability.tolist(), strict=True))


def llr_cost(odds: NDArray[np.float64], genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> float:
    """Cllr, the cost of log odds (N,) (natural, at equal priors) in bits; 0 is perfect, 1 says nothing.

    `genuine` and `impostor` (N,) are the shares of either kind with these log odds. Brümmer and du Preez 2006,
    'Application-independent evaluation of speaker detection', equation 31.
    """
    return float((genuine @ np.logaddexp(0, -odds) + impostor @ np.logaddexp(0, odds)) / 2 / math.log(2))
