"""An open-set identification trial through a running service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import track

from training.data.errors import DataError
from training.data.photos import Photo
from training.evaluation.service_client import ServiceClient
from training.metrics.verification import MISSING_SCORE


@dataclass(frozen=True)
class IdentificationTrial:
    """People enrolled from one photo each, searched with another photo; and probes of people who are not enrolled."""

    enrolled: int
    mated: int
    nonmated: int
    rank1: float  # share of mated probes whose best candidate is the right identity
    fnir: float  # share of mated probes not answered with a match of the right identity
    fpir: float  # share of non-mated probes answered with a match or as ambiguous
    threshold: float
    target_met: bool
    answers: tuple[tuple[str, str, float], ...]  # probe, decision, best similarity


def run_identification_trial(
    service: ServiceClient, photos: Sequence[Photo], people: frozenset[str], count: int, gallery: str, *, enroll: bool
) -> IdentificationTrial:
    """Enrolls `count` people from their first photo, then searches with their second and with the first photo of
    `count` other people. With `enroll` false it searches the gallery as it is.

    The ground truth comes from the names of the photos. Raises DataError if too few people have two photos.
    """
    candidates_with_two = sorted(_first_two_photos(photos, people).items())
    if len(candidates_with_two) < 2 * count:
        raise DataError(
            f"The trial needs {2 * count} people with two photos each; there are {len(candidates_with_two)}. "
            "Choose a smaller --count."
        )
    # Alternating, so that the two halves do not differ by the alphabet.
    mated, nonmated = candidates_with_two[: 2 * count : 2], candidates_with_two[1 : 2 * count : 2]
    if enroll:
        service.delete(f"/galleries/{gallery}")
        for person, (first, _) in track(mated, "Enrolling"):
            service.post("/enroll", {"image": first}, identity=person, gallery=gallery)
    rank1_hits = true_matches = false_positives = 0
    answers = []
    threshold, target_met = float("nan"), False
    probes: list[tuple[str, str | None]] = [(second, person) for person, (_, second) in mated]
    probes += [(first, None) for _, (first, _) in nonmated]
    for probe, expected in track(probes, "Identifying"):
        answer = service.post("/identify", {"image": probe}, gallery=gallery)
        candidates: Any = answer.get("candidates")
        decision = str(answer.get("decision", "no_face_found"))
        top: Any = candidates[0] if candidates else {"identity": None, "similarity": MISSING_SCORE}
        threshold = float(str(answer.get("threshold", threshold)))
        target_met = bool(answer.get("target_met", target_met))
        answers.append((probe, decision, float(top["similarity"])))
        if expected is None:
            false_positives += decision in ("match", "ambiguous")
        else:
            rank1_hits += top["identity"] == expected
            true_matches += decision == "match" and top["identity"] == expected
    return IdentificationTrial(
        enrolled=count,
        mated=count,
        nonmated=count,
        rank1=rank1_hits / count,
        fnir=1 - true_matches / count,
        fpir=false_positives / count,
        threshold=threshold,
        target_met=target_met,
        answers=tuple(answers),
    )


def largest_difference(first: IdentificationTrial, second: IdentificationTrial) -> float:
    """The largest difference in similarity between two trials of the same probes; infinite if any decision differs."""
    if [answer[:2] for answer in first.answers] != [answer[:2] for answer in second.answers]:
        return float("inf")
    similarities = [np.array([answer[2] for answer in trial.answers]) for trial in (first, second)]
    return float(np.abs(similarities[0] - similarities[1]).max())


def _first_two_photos(photos: Sequence[Photo], people: frozenset[str]) -> dict[str, tuple[str, str]]:
    names: dict[str, list[str]] = {}
    for photo in photos:
        names.setdefault(photo.person, []).append(photo.name)
    return {person: (own[0], own[1]) for person, own in names.items() if person in people and len(own) > 1}
