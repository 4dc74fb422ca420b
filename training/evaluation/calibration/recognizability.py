"""The floors of recognizability: below the first a face is refused, below the second its threshold rises."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.calibration import Recognizability
from training.evaluation.trust.degraded import DegradedFaces, impostor_scores

MOST_REFUSED: Final = 0.004  # of usable photos; of pairs of them, at most twice as many
DOUBTFUL: Final = (0.01, 0.02, 0.05, 0.1, 0.2)  # shares of usable photos whose thresholds may rise, tried in this order
TOLERATED: Final = 2.0  # times the FMR that is asked for, for strangers whose photos share a defect
RAISES: Final = tuple(np.arange(0.0, 0.41, 0.01))  # cosine


def choose_floors(
    usable: NDArray[np.float32], degraded: Sequence[DegradedFaces], threshold: float, fmr: float
) -> Recognizability:
    """Chooses the floors on people who set no weights.

    `usable`: the recognizability of ordinary photos. `degraded`: strangers whose photos share a defect. The first floor
    refuses MOST_REFUSED of the usable photos. The second is the lowest at which no kind of defect has an FMR above
    TOLERATED times `fmr` among pairs above it at `threshold`, the last of DOUBTFUL if none is. The rise is the smallest
    that does the same for the pairs between the floors.
    """
    refused = float(np.quantile(usable, MOST_REFUSED))
    pairs = [impostor_scores(each) for each in degraded]
    allowed = TOLERATED * fmr
    floors = [float(np.quantile(usable, share)) for share in DOUBTFUL]
    kept = (floor for floor in floors if all(_rate(*each, floor, threshold) <= allowed for each in pairs))
    doubtful = next(kept, floors[-1])
    rises = (
        rise
        for rise in RAISES
        if all(_doubtful_rate(*each, refused, doubtful, threshold + rise) <= allowed for each in pairs)
    )
    raised_by = float(next(rises, RAISES[-1]))
    return Recognizability(refused, doubtful, raised_by, float((usable < refused).mean()))


def _rate(scores: NDArray[np.float32], judged: NDArray[np.float32], floor: float, threshold: float) -> float:
    """The false matches of pairs from the floor on, as a share of all pairs of the kind."""
    return float(((scores >= threshold) & (judged >= floor)).mean())


def _doubtful_rate(
    scores: NDArray[np.float32], judged: NDArray[np.float32], refused: float, doubtful: float, threshold: float
) -> float:
    """The false matches of pairs between the floors, as a share of all pairs of the kind."""
    return float(((scores >= threshold) & (judged >= refused) & (judged < doubtful)).mean())
