"""What several templates of one person change, and what remembering rejected matches does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.splits import label_people


@dataclass(frozen=True)
class TemplateTrial:
    """Error rates of people with `templates` templates each, over `draws` random choices of the templates.

    `false_matches` and `expected` are rates at the threshold of a pair with false match rate `fmr`: of the best of the
    templates, and 1 - (1 - fmr)^templates. The FNMRs are those at thresholds with which each score has the false match
    rate `fmr`.
    """

    templates: int
    people: int
    genuine: int  # comparisons of a photo with a person's templates
    impostor: int
    fmr: float
    false_matches: float
    expected: float
    fnmr_best: float  # the score is the best similarity of the templates
    fnmr_fused: float  # ... the similarity to their mean, scaled to unit length
    fnmr_both: float  # ... the best of the templates and their mean


@dataclass(frozen=True)
class RejectionTrial:
    """What remembered rejections change, for people with one template each, at one threshold.

    Every false match is rejected in turn. `repeated_before` and `repeated_after`: the share of the other photos of the
    rejected person that match. `lost`: the share of photos of the enrolled person that matched before and do not after.
    """

    threshold: float
    rejections: int
    others: int
    repeated_before: float
    repeated_after: float
    genuine: int
    lost: float


def try_templates(
    vectors: NDArray[np.float32], people: Sequence[str], count: int, fmr: float, draws: int, seed: int = 0
) -> TemplateTrial:
    """Draws `count` templates of everybody with more photos than that. `vectors` (N, D) have unit length.

    Everybody's other photos are the genuine comparisons, and everybody else's photos the impostors.
    """
    labels = label_people(people)
    rows_of = {label: np.flatnonzero(labels == label) for label in np.unique(labels)}
    enrolled = [label for label, rows in rows_of.items() if len(rows) > count]
    rng = np.random.default_rng(seed)
    genuine: list[NDArray[np.float32]] = []
    impostor: list[NDArray[np.float32]] = []
    for _ in range(draws):
        for label in enrolled:
            rows = rng.permutation(rows_of[label])
            scores = _scores(vectors, vectors[rows[:count]])  # (4, N)
            genuine.append(scores[:, rows[count:]])
            impostor.append(scores[:, labels != label])
    same, different = np.concatenate(genuine, axis=1), np.concatenate(impostor, axis=1)
    pair_threshold = np.quantile(different[0], 1 - fmr)
    thresholds = np.quantile(different, 1 - fmr, axis=1)
    fnmrs = [float((same[each] < thresholds[each]).mean()) for each in range(4)]
    return TemplateTrial(
        templates=count,
        people=len(enrolled),
        genuine=same.shape[1],
        impostor=different.shape[1],
        fmr=fmr,
        false_matches=float((different[1] >= pair_threshold).mean()),
        expected=1 - (1 - fmr) ** count,
        fnmr_best=fnmrs[1],
        fnmr_fused=fnmrs[2],
        fnmr_both=fnmrs[3],
    )


def _scores(vectors: NDArray[np.float32], templates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (4, N): the similarity to the first template, to the best one, to their mean, and the best of both."""
    each = vectors @ templates.T  # (N, K)
    mean = templates.mean(axis=0)
    fused = vectors @ (mean / np.linalg.norm(mean))
    best = each.max(axis=1)
    return np.stack([each[:, 0], best, fused, np.maximum(best, fused)])


def try_rejections(vectors: NDArray[np.float32], people: Sequence[str], threshold: float) -> RejectionTrial:
    """Enrolls everybody's first photo, rejects each false match in turn, and compares the other photos again.

    A match is rejected if the photo is at least as similar to a rejected photo as to the template.
    """
    labels = label_people(people)
    first_rows = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]
    rejections = others = before = after = genuine = lost = 0
    for row in first_rows:
        similarities = vectors @ vectors[row]  # (N,)
        own = np.flatnonzero((labels == labels[row]) & (np.arange(len(labels)) != row))
        for rejected in np.flatnonzero((labels != labels[row]) & (similarities >= threshold)):
            beaten = vectors @ vectors[rejected] >= similarities  # (N,)
            rest = np.flatnonzero((labels == labels[rejected]) & (np.arange(len(labels)) != rejected))
            matched = similarities >= threshold
            rejections += 1
            others += len(rest)
            before += int(matched[rest].sum())
            after += int((matched & ~beaten)[rest].sum())
            genuine += int(matched[own].sum())
            lost += int((matched & beaten)[own].sum())
    return RejectionTrial(
        threshold, rejections, others, before / max(others, 1), after / max(others, 1), genuine, lost / max(genuine, 1)
    )
