"""1:1 protocols as pure functions on scores: FMR, TAR, equal error rate, accuracy.

A score is the cosine similarity of two embeddings. A pair is accepted if its score is at or above the threshold, as in
the service.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
BINS: Final = 4096  # of the score histograms over -1..1
MISSING_SCORE: Final = -2.0  # of a pair with a photo in which no face was found: below every threshold


@dataclass(frozen=True)
class PairScores:
    """The scores of all pairs among N photos of P people.

    Of the impostor pairs only the highest scores are kept, K of them; the histograms count all pairs.
    """

    genuine: NDArray[np.float32]  # (G,)
    genuine_people: NDArray[np.int32]  # (G,) label of the person
    impostor: NDArray[np.float32]  # (K,) in descending order
    impostor_people: NDArray[np.int32]  # (K, 2) labels of the two people, the smaller one first
    impostor_pairs: int  # all of them
    photos: NDArray[np.int64]  # (P,) number of photos of each person
    genuine_histogram: NDArray[np.int64]  # (BINS,)
    impostor_histogram: NDArray[np.int64]  # (BINS,)

    @property
    def people(self) -> int:
        """The number of people."""
        return len(self.photos)

    def threshold_at(self, fmr: float) -> float:
        """The lowest threshold at which at most this share of the impostor pairs is accepted.

        Raises ValueError if too few impostor scores were kept for this rate.
        """
        allowed = int(fmr * self.impostor_pairs + 1e-9)
        if allowed >= len(self.impostor):
            raise ValueError(
                f"an FMR of {fmr:g} needs more than the {len(self.impostor)} impostor scores that were kept"
            )
        return float(np.nextafter(self.impostor[allowed], np.float32(2)))

    def fmr_at(self, threshold: float) -> float:
        """False match rate: the share of impostor pairs at or above the threshold.

        Below the lowest kept impostor score it is taken from the histogram, exact to the width of a bin.
        """
        if len(self.impostor) and threshold >= self.impostor[-1]:
            return float((self.impostor >= threshold).sum()) / self.impostor_pairs
        centres = bin_centres()
        return float(self.impostor_histogram[centres >= threshold].sum()) / max(self.impostor_pairs, 1)

    def tar_at(self, fmr: float) -> float:
        """True accept rate: the share of genuine pairs accepted at the threshold of this FMR. Raises ValueError."""
        return float((self.genuine >= self.threshold_at(fmr)).mean())


def compare_all_pairs(
    vectors: Floats,
    people: NDArray[np.int64],
    missing: NDArray[np.int64] | None = None,
    keep: float = 0.12,
    block: int = 1024,
) -> PairScores:
    """Scores every pair of unit vectors (N, D) of the people with these labels (N,), `block` rows at a time.

    `missing` (M,) are the labels of photos in which no face was found: their pairs count as rejected. `keep` is the
    share of impostor pairs whose scores are kept.
    """
    without_face = np.empty(0, np.int64) if missing is None else missing
    found = len(vectors)
    everyone = np.concatenate([people, without_face])
    counts = np.bincount(everyone)
    photos = counts[counts > 0]
    labels = (np.cumsum(counts > 0) - 1)[everyone].astype(np.int32)  # without gaps
    genuine_total = int((photos * (photos - 1) // 2).sum())
    impostor_total = len(everyone) * (len(everyone) - 1) // 2 - genuine_total
    vectors = vectors.astype(np.float32)
    genuine, genuine_people = [np.empty(0, np.float32)], [np.empty(0, np.int32)]
    genuine_histogram, impostor_histogram = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    for start, scores, same, upper in _score_blocks(vectors, labels[:found], block):
        rows, _ = np.nonzero(same)
        genuine.append(scores[same])
        genuine_people.append(labels[start + rows])
        genuine_histogram += histogram(scores[same])
        impostor_histogram += histogram(scores[upper & ~same])
    floor = _lower_edge(impostor_histogram, int(keep * impostor_total) + 1)
    impostor, impostor_people = [np.empty(0, np.float32)], [np.empty((0, 2), np.int32)]
    for start, scores, same, upper in _score_blocks(vectors, labels[:found], block):
        rows, columns = np.nonzero(upper & ~same & (scores >= floor))
        impostor.append(scores[rows, columns])
        impostor_people.append(np.sort(np.stack([labels[start + rows], labels[start + columns]], 1), axis=1))
    kept = np.concatenate(impostor)
    order = np.argsort(-kept, kind="stable")
    unscored = _people_of_unscored_pairs(labels, found)
    assert sum(map(len, genuine)) + len(unscored) == genuine_total
    return PairScores(
        genuine=np.concatenate([*genuine, np.full(len(unscored), MISSING_SCORE, np.float32)]),
        genuine_people=np.concatenate([*genuine_people, unscored]),
        impostor=kept[order],
        impostor_people=np.concatenate(impostor_people)[order],
        impostor_pairs=impostor_total,
        photos=photos,
        genuine_histogram=genuine_histogram,
        impostor_histogram=impostor_histogram,
    )


def tar_by_people(pairs: PairScores, threshold: float) -> float:
    """The true accept rate in which every person counts alike, however many photos there are of them."""
    counts = np.bincount(pairs.genuine_people)
    accepted = np.bincount(pairs.genuine_people, weights=pairs.genuine >= threshold, minlength=len(counts))
    return float((accepted[counts > 0] / counts[counts > 0]).mean())


def collect_scores(scores: Floats, same: NDArray[np.bool_]) -> PairScores:
    """The scores (P,) of a list of pairs, `same` for genuine ones, as PairScores for plots.

    It does not know the people, so it cannot be bootstrapped.
    """
    impostor = np.sort(scores[~same])[::-1].astype(np.float32)
    genuine = scores[same].astype(np.float32)
    return PairScores(
        genuine=genuine,
        genuine_people=np.zeros(len(genuine), np.int32),
        impostor=impostor,
        impostor_people=np.zeros((len(impostor), 2), np.int32),
        impostor_pairs=len(impostor),
        photos=np.zeros(0, np.int64),
        genuine_histogram=histogram(genuine),
        impostor_histogram=histogram(impostor),
    )


def _score_blocks(
    vectors: NDArray[np.float32], labels: NDArray[np.int32], block: int
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yields blocks of rows of the upper triangle: the first row, scores (b, n), genuine pairs, all pairs.

    Column 0 is the block's first row. The two masks (b, n) leave out the diagonal and what is below it.
    """
    for start in range(0, len(vectors), block):
        scores = np.clip(vectors[start : start + block] @ vectors[start:].T, -1, 1)
        upper = np.triu(np.ones(scores.shape, bool), 1)
        same = upper & (labels[start : start + block, None] == labels[None, start:])
        yield start, scores, same, upper


def _people_of_unscored_pairs(labels: NDArray[np.int32], found: int) -> NDArray[np.int32]:
    """The label of each genuine pair with a photo without a face: those photos are the rows from `found` on."""
    people: list[int] = []
    for row in range(found, len(labels)):
        people += [int(labels[row])] * int((labels[:row] == labels[row]).sum())
    return np.array(people, np.int32)


def histogram(scores: Floats) -> NDArray[np.int64]:
    """The number of scores in each bin over -1..1, (BINS,). Lower scores, such as MISSING_SCORE, are in bin 0."""
    return np.bincount(_bin(scores), minlength=BINS)


def _bin(scores: Floats) -> NDArray[np.int64]:
    return np.clip(((scores + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1)


def _lower_edge(histogram: NDArray[np.int64], count: int) -> float:
    """The lower edge of the highest bin such that at least `count` scores are in it or above; -1 if there are fewer."""
    above = np.cumsum(histogram[::-1])[::-1]
    reached = np.flatnonzero(above >= count)
    return float(reached[-1] / (BINS / 2) - 1) if len(reached) else -1.0


def bin_centres() -> NDArray[np.float64]:
    """The score at the centre of each histogram bin, (BINS,)."""
    return np.asarray((np.arange(BINS) + 0.5) / (BINS / 2) - 1, np.float64)


def accuracy(scores: Floats, same: NDArray[np.bool_], threshold: float) -> float:
    """The share of pairs (P,) that are decided correctly at a threshold chosen on other pairs."""
    return float(((scores >= threshold) == same).mean())


def best_threshold(scores: Floats, same: NDArray[np.bool_]) -> float:
    """The threshold with the highest accuracy on these pairs (P,). Report accuracy at it on other pairs only."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    correct = np.concatenate([[0], np.cumsum(same[order])]) + np.concatenate([np.cumsum(~same[order][::-1])[::-1], [0]])
    cut = int(np.argmax(correct))  # accept the `cut` highest
    if cut == 0:
        return float(np.nextafter(ranked[0], np.inf))
    if cut == len(ranked):
        return float(ranked[-1])
    return float((ranked[cut - 1] + ranked[cut]) / 2)


def equal_error_rate(genuine_histogram: NDArray[np.int64], impostor_histogram: NDArray[np.int64]) -> float:
    """The rate at which FMR and FNMR are equal, interpolated between the bins of the histograms (BINS,)."""
    fmr = np.cumsum(impostor_histogram[::-1])[::-1] / impostor_histogram.sum()
    fnmr = (np.cumsum(genuine_histogram) - genuine_histogram) / genuine_histogram.sum()
    gap = fmr - fnmr  # falls from 1 to below 0 as the threshold rises
    right = int(np.argmax(gap <= 0))
    left = max(right - 1, 0)
    weight = 0.0 if gap[left] == gap[right] else float(gap[left] / (gap[left] - gap[right]))
    return float(fmr[left] * (1 - weight) + fmr[right] * weight)
