"""1:N protocols as pure functions on embeddings: N-way one-shot classification, and open-set identification.

FPIR and FNIR as in ISO/IEC 19795-1 and NIST's FRVT part 2: a probe of somebody who is not enrolled is a false positive
where any candidate passes the threshold; a probe of somebody who is enrolled is missed where their own does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.calibration import fpir as expected_fpir

Floats = NDArray[np.floating]
SEED: Final = 0
DRAWS: Final = 10  # times that people are drawn into gallery and strangers
TRIALS: Final = 2000  # of N-way classification
FPIRS: Final = (0.01, 0.1)


@dataclass(frozen=True)
class SearchRates:
    """What happens at one threshold, the mean over the draws."""

    threshold: float
    fmr: float  # of one comparison at that threshold
    fpir: float  # measured
    fpir_if_independent: float  # 1 - (1 - fmr)^N
    fnir: float


@dataclass(frozen=True)
class OpenSet:
    """Half of the people enrolled from one photo each, the others strangers."""

    gallery: int  # templates N
    mated_probes: int
    stranger_probes: int
    rank1: float  # share of mated probes whose best candidate is themselves, whatever the threshold
    fnir_at_fpir: dict[str, float]  # the threshold set on these very strangers
    rates: tuple[SearchRates, ...]


def open_set(vectors: Floats, people: NDArray[np.int64], thresholds: Sequence[float], fmrs: Sequence[float]) -> OpenSet:
    """Draws half of the people anew DRAWS times, enrolls a random photo of each, and searches with every other photo.
    `vectors` (N, D) are of unit length, `people` (N,) numbers; `fmrs` are those of the `thresholds`.

    Raises ValueError where nobody has two photos, or there is nobody to be a stranger.
    """
    rng = np.random.default_rng(SEED)
    everybody = np.unique(people)
    if len(everybody) < 2 or len(everybody) == len(people):
        raise ValueError("open-set identification needs two people or more, and somebody with two photos")
    passed, missed, right, sizes, lost_at = [], [], [], [], []
    for _ in range(DRAWS):
        known = np.isin(people, rng.permutation(everybody)[: len(everybody) // 2])
        order = rng.permutation(len(people))
        order = order[known[order]]
        enrolled = order[np.unique(people[order], return_index=True)[1]]  # one photo of each, at random
        mated = np.setdiff1d(np.flatnonzero(known), enrolled)
        strangers = np.flatnonzero(~known)
        nearest = (vectors[strangers] @ vectors[enrolled].T).max(axis=1)
        passed.append([float((nearest >= threshold).mean()) for threshold in thresholds])
        scores = vectors[mated] @ vectors[enrolled].T
        own = scores[np.arange(len(mated)), np.searchsorted(people[enrolled], people[mated])]
        missed.append([float((own < threshold).mean()) if len(mated) else 0.0 for threshold in thresholds])
        lost_at.append([float((own <= np.quantile(nearest, 1 - rate)).mean()) if len(mated) else 0.0 for rate in FPIRS])
        right.append(float((own >= scores.max(axis=1)).mean()) if len(mated) else 1.0)
        sizes.append((len(enrolled), len(mated), len(strangers)))
    gallery, probes, others = (round(float(mean)) for mean in np.mean(sizes, axis=0))
    rates = tuple(
        SearchRates(float(threshold), float(fmr), float(found), expected_fpir(float(fmr), gallery), float(lost))
        for threshold, fmr, found, lost in zip(
            thresholds, fmrs, np.mean(passed, axis=0), np.mean(missed, axis=0), strict=True
        )
    )
    at = {f"{rate:g}": float(lost) for rate, lost in zip(FPIRS, np.mean(lost_at, axis=0), strict=True)}
    return OpenSet(gallery, probes, others, float(np.mean(right)), at, rates)


def one_shot(vectors: Floats, people: NDArray[np.int64], ways: int) -> float:
    """The share of TRIALS in which, of `ways` people known by one photo each, the one whom another photo shows is the
    most similar. `vectors` (N, D) of unit length, `people` (N,) numbers.

    Raises ValueError with fewer people than that, or where nobody has two photos.
    """
    rng = np.random.default_rng(SEED)
    photos_of = {person: np.flatnonzero(people == person) for person in np.unique(people)}
    several = [person for person, photos in photos_of.items() if len(photos) > 1]
    if len(photos_of) < ways or not several:
        raise ValueError(f"{ways}-way one-shot needs {ways} people, one of them with two photos")
    everybody = np.array(list(photos_of))
    right = 0
    for _ in range(TRIALS):
        asked = rng.choice(several)
        others = rng.choice(everybody[everybody != asked], ways - 1, replace=False)
        own, probe = rng.choice(photos_of[asked], 2, replace=False)
        known = np.array([own, *(rng.choice(photos_of[person]) for person in others)])
        right += int((vectors[known] @ vectors[probe]).argmax() == 0)
    return right / TRIALS
