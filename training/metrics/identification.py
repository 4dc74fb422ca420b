"""1:N protocols as pure functions on embeddings: N-way one-shot classification and open-set identification.

FPIR and FNIR are those of ISO/IEC 19795-1 and NIST's FRVT part 2. A non-mated probe, of a person who is not enrolled,
is a false positive if any template passes the threshold. A mated probe is a false negative if its own template does
not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.calibration import expected_fpir

Floats = NDArray[np.floating]
SEED: Final = 0
DRAWS: Final = 10  # random divisions of the people into enrolled and not enrolled
TRIALS: Final = 2000  # of N-way one-shot classification
FPIRS: Final = (0.01, 0.1)


@dataclass(frozen=True)
class SearchRates:
    """The error rates at one threshold, averaged over the draws."""

    threshold: float
    fmr: float  # of one comparison
    fpir: float  # measured
    fpir_if_independent: float  # 1 - (1 - fmr)^N, if the N comparisons were independent
    fnir: float


@dataclass(frozen=True)
class OpenSetRates:
    """Open-set identification with half of the people enrolled, from one photo each; averaged over the draws."""

    gallery: int  # number of templates N
    mated_probes: int
    stranger_probes: int  # non-mated probes
    rank1: float  # share of mated probes whose own template is the most similar, at any threshold
    fnir_at_fpir: dict[str, float]  # thresholds chosen on the same non-mated probes
    rates: tuple[SearchRates, ...]  # at each given threshold


def evaluate_open_set(
    vectors: Floats, people: NDArray[np.int64], thresholds: Sequence[float], fmrs: Sequence[float]
) -> OpenSetRates:
    """Draws half of the people DRAWS times, enrolls a random photo of each, and searches with every other photo.

    `vectors` (N, D) are unit vectors and `people` (N,) their labels; `fmrs` are the rates at the `thresholds`. Raises
    ValueError if there are fewer than two people, or if no person has two photos.
    """
    rng = np.random.default_rng(SEED)
    labels = np.unique(people)
    if len(labels) < 2 or len(labels) == len(people):
        raise ValueError("open-set identification needs at least two people, one of them with two photos")
    false_positives, false_negatives, rank1, sizes, fnir_at_fpir = [], [], [], [], []
    for _ in range(DRAWS):
        known = np.isin(people, rng.permutation(labels)[: len(labels) // 2])
        order = rng.permutation(len(people))
        order = order[known[order]]
        enrolled = order[np.unique(people[order], return_index=True)[1]]  # one photo of each, at random
        mated = np.setdiff1d(np.flatnonzero(known), enrolled)
        nonmated = np.flatnonzero(~known)
        nearest = (vectors[nonmated] @ vectors[enrolled].T).max(axis=1)
        false_positives.append([float((nearest >= threshold).mean()) for threshold in thresholds])
        scores = vectors[mated] @ vectors[enrolled].T
        own = scores[np.arange(len(mated)), np.searchsorted(people[enrolled], people[mated])]
        false_negatives.append([float((own < threshold).mean()) if len(mated) else 0.0 for threshold in thresholds])
        fnir_at_fpir.append(
            [float((own <= np.quantile(nearest, 1 - rate)).mean()) if len(mated) else 0.0 for rate in FPIRS]
        )
        rank1.append(float((own >= scores.max(axis=1)).mean()) if len(mated) else 1.0)
        sizes.append((len(enrolled), len(mated), len(nonmated)))
    gallery, mated_probes, stranger_probes = (round(float(mean)) for mean in np.mean(sizes, axis=0))
    rates = tuple(
        SearchRates(float(threshold), float(fmr), float(fpir), expected_fpir(float(fmr), gallery), float(fnir))
        for threshold, fmr, fpir, fnir in zip(
            thresholds, fmrs, np.mean(false_positives, axis=0), np.mean(false_negatives, axis=0), strict=True
        )
    )
    at = {f"{rate:g}": float(fnir) for rate, fnir in zip(FPIRS, np.mean(fnir_at_fpir, axis=0), strict=True)}
    return OpenSetRates(gallery, mated_probes, stranger_probes, float(np.mean(rank1)), at, rates)


def evaluate_one_shot(vectors: Floats, people: NDArray[np.int64], ways: int) -> float:
    """The accuracy of N-way one-shot classification over TRIALS trials, `ways` being N.

    Each trial takes a probe of one person, and one photo of each of `ways` people, that person among them; it is right
    if the person's own photo is the most similar. `vectors` (N, D) are unit vectors, `people` (N,) their labels. Raises
    ValueError if there are fewer than `ways` people, or if no person has two photos.
    """
    rng = np.random.default_rng(SEED)
    photos_of = {person: np.flatnonzero(people == person) for person in np.unique(people)}
    several = [person for person, photos in photos_of.items() if len(photos) > 1]
    if len(photos_of) < ways or not several:
        raise ValueError(f"{ways}-way one-shot needs at least {ways} people, one of them with two photos")
    labels = np.array(list(photos_of))
    correct = 0
    for _ in range(TRIALS):
        person = rng.choice(several)
        others = rng.choice(labels[labels != person], ways - 1, replace=False)
        own, probe = rng.choice(photos_of[person], 2, replace=False)
        gallery = np.array([own, *(rng.choice(photos_of[other]) for other in others)])
        correct += int((vectors[gallery] @ vectors[probe]).argmax() == 0)
    return correct / TRIALS
