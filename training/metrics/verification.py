"""The protocols of the field as pure functions on scores (cosine similarities; higher is more alike).

A pair is accepted if and only if its score is at or above the threshold, as in the service.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
BINS: Final = 4096  # of the histograms over -1..1
MISSING: Final = -2.0  # the score of a pair with a photo in which no face was found: below every threshold


@dataclass(frozen=True)
class AllPairs:
    """Every pair among N photos of P people. Of the impostor pairs only the highest are kept one by one (`impostor`,
    falling), as far as the share asked for; the histograms hold all of them."""

    genuine: NDArray[np.float32]  # (G,)
    genuine_people: NDArray[np.int32]  # (G,) the person
    impostor: NDArray[np.float32]  # (K,) falling
    impostor_people: NDArray[np.int32]  # (K, 2) the two people, smaller number first
    impostor_pairs: int
    photos: NDArray[np.int64]  # (P,) photos of each person
    genuine_histogram: NDArray[np.int64]  # (BINS,)
    impostor_histogram: NDArray[np.int64]  # (BINS,)

    @property
    def people(self) -> int:
        return len(self.photos)

    def threshold_at(self, fmr: float) -> float:
        """The lowest threshold at which at most this share of the impostor pairs is accepted.

        Raises ValueError where the kept impostor pairs do not reach that far.
        """
        allowed = int(fmr * self.impostor_pairs + 1e-9)
        if allowed >= len(self.impostor):
            raise ValueError(f"an FMR of {fmr:g} needs more impostor scores than were kept")
        return float(np.nextafter(self.impostor[allowed], np.float32(2)))

    def fmr_at(self, threshold: float) -> float:
        """False match rate: the share of impostor pairs at or above the threshold. From the histogram, so to a bin's
        width, where the kept impostor pairs do not reach down to it."""
        if len(self.impostor) and threshold >= self.impostor[-1]:
            return float((self.impostor >= threshold).sum()) / self.impostor_pairs
        centres = bin_centres()
        return float(self.impostor_histogram[centres >= threshold].sum()) / max(self.impostor_pairs, 1)

    def tar_at(self, fmr: float) -> float:
        """True accept rate: the share of genuine pairs accepted at that FMR's threshold."""
        return float((self.genuine >= self.threshold_at(fmr)).mean())


def all_pairs(
    vectors: Floats,
    people: NDArray[np.int64],
    missing: NDArray[np.int64] | None = None,
    keep: float = 0.12,
    block: int = 1024,
) -> AllPairs:
    """Compares unit vectors (N, D) of people numbered (N,) block by block. `missing` (M,) are the people of photos
    without a face: their pairs count, as rejected. `keep` is the share of impostor pairs kept one by one."""
    lost = np.empty(0, np.int64) if missing is None else missing
    found = len(vectors)
    everyone = np.concatenate([people, lost])
    photos = np.bincount(everyone)
    photos_each = photos[photos > 0]
    numbers = (np.cumsum(photos > 0) - 1)[everyone].astype(np.int32)
    genuine_total = int((photos_each * (photos_each - 1) // 2).sum())
    impostor_total = len(everyone) * (len(everyone) - 1) // 2 - genuine_total
    vectors = vectors.astype(np.float32)
    genuine, genuine_people = [], []
    genuine_histogram, impostor_histogram = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    for start, scores, same, upper in _blocks(vectors, numbers[:found], block):
        rows, _ = np.nonzero(same)
        genuine.append(scores[same])
        genuine_people.append(numbers[start + rows])
        genuine_histogram += histogram(scores[same])
        impostor_histogram += histogram(scores[upper & ~same])
    floor = _floor(impostor_histogram, int(keep * impostor_total) + 1)
    impostor, impostor_people = [], []
    for start, scores, same, upper in _blocks(vectors, numbers[:found], block):
        rows, columns = np.nonzero(upper & ~same & (scores >= floor))
        impostor.append(scores[rows, columns])
        impostor_people.append(np.sort(np.stack([numbers[start + rows], numbers[start + columns]], 1), axis=1))
    kept = np.concatenate(impostor)
    order = np.argsort(-kept, kind="stable")
    unscored = genuine_total - sum(map(len, genuine))
    return AllPairs(
        genuine=np.concatenate([*genuine, np.full(unscored, MISSING, np.float32)]),
        genuine_people=np.concatenate([*genuine_people, _unscored_people(numbers, found, unscored)]),
        impostor=kept[order],
        impostor_people=np.concatenate(impostor_people)[order],
        impostor_pairs=impostor_total,
        photos=photos_each,
        genuine_histogram=genuine_histogram,
        impostor_histogram=impostor_histogram,
    )


def listed_pairs(scores: Floats, same: NDArray[np.bool_]) -> AllPairs:
    """The same record of a list of pairs (P,) whose people are not told apart: for plots, not for a bootstrap."""
    impostor = np.sort(scores[~same])[::-1].astype(np.float32)
    genuine = scores[same].astype(np.float32)
    return AllPairs(
        genuine=genuine,
        genuine_people=np.zeros(len(genuine), np.int32),
        impostor=impostor,
        impostor_people=np.zeros((len(impostor), 2), np.int32),
        impostor_pairs=len(impostor),
        photos=np.zeros(0, np.int64),
        genuine_histogram=histogram(genuine),
        impostor_histogram=histogram(impostor),
    )


def _blocks(
    vectors: NDArray[np.float32], numbers: NDArray[np.int32], block: int
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]]:
    """Row blocks of the upper triangle: start, scores (b, n), same person and above the diagonal, above the diagonal.
    Columns count from the block's first row."""
    for start in range(0, len(vectors), block):
        scores = np.clip(vectors[start : start + block] @ vectors[start:].T, -1, 1)
        upper = np.triu(np.ones(scores.shape, bool), 1)
        same = upper & (numbers[start : start + block, None] == numbers[None, start:])
        yield start, scores, same, upper


def _unscored_people(numbers: NDArray[np.int32], found: int, total: int) -> NDArray[np.int32]:
    """The person of each genuine pair that has a photo without a face."""
    people: list[int] = []
    for index in range(found, len(numbers)):
        people += [int(numbers[index])] * int((numbers[:index] == numbers[index]).sum())
    assert len(people) == total
    return np.array(people, np.int32)


def histogram(scores: Floats) -> NDArray[np.int64]:
    """How many scores lie in each of BINS bins over -1..1; lower ones, MISSING among them, in the first."""
    return np.bincount(_bin(scores), minlength=BINS)


def _bin(scores: Floats) -> NDArray[np.int64]:
    return np.clip(((scores + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1)


def _floor(histogram: NDArray[np.int64], count: int) -> float:
    """The lower edge of the bin down to which at least `count` scores lie."""
    above = np.cumsum(histogram[::-1])[::-1]
    reached = np.flatnonzero(above >= count)
    return float(reached[-1] / (BINS / 2) - 1) if len(reached) else -1.0


def bin_centres() -> NDArray[np.float64]:
    """The score in the middle of each histogram bin, (BINS,)."""
    return np.asarray((np.arange(BINS) + 0.5) / (BINS / 2) - 1, np.float64)


def accuracy(scores: Floats, same: NDArray[np.bool_], threshold: float) -> float:
    """The share of pairs decided rightly at a threshold that was fixed beforehand."""
    return float(((scores >= threshold) == same).mean())


def best_threshold(scores: Floats, same: NDArray[np.bool_]) -> float:
    """The threshold with the highest accuracy on these pairs: for choosing on View 1 or on other folds, not for
    reporting on the same pairs."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    right = np.concatenate([[0], np.cumsum(same[order])]) + np.concatenate([np.cumsum(~same[order][::-1])[::-1], [0]])
    cut = int(np.argmax(right))  # accept the `cut` highest
    if cut == 0:
        return float(np.nextafter(ranked[0], np.inf))
    if cut == len(ranked):
        return float(ranked[-1])
    return float((ranked[cut - 1] + ranked[cut]) / 2)


def equal_error_rate(genuine_histogram: NDArray[np.int64], impostor_histogram: NDArray[np.int64]) -> float:
    """The rate at which FMR and FNMR are equal, interpolated between the bins of the histograms."""
    fmr = np.cumsum(impostor_histogram[::-1])[::-1] / impostor_histogram.sum()
    fnmr = (np.cumsum(genuine_histogram) - genuine_histogram) / genuine_histogram.sum()
    gap = fmr - fnmr  # falls from 1 to below 0 as the threshold rises
    right = int(np.argmax(gap <= 0))
    left = max(right - 1, 0)
    weight = 0.0 if gap[left] == gap[right] else float(gap[left] / (gap[left] - gap[right]))
    return float(fmr[left] * (1 - weight) + fmr[right] * weight)
