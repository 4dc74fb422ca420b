"""The same figures through a running service: what is served is what was measured."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from rich.progress import track

from training.data.photos import DataError, Pair, Photo
from training.evaluation.embeddings import Scored
from training.metrics.verification import MISSING


@dataclass(frozen=True)
class Parity:
    """Service against offline, over listed pairs."""

    pairs: int
    without_face: tuple[str, ...]
    largest_difference: float  # of similarity
    different_verdicts: int


class Service:
    """A running facetwin, photo by photo. Raises DataError on an answer that no photo explains."""

    def __init__(self, url: str, photos: Sequence[Photo], transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(base_url=url, timeout=60, transport=transport)
        self._photos: Mapping[str, Photo] = {photo.name: photo for photo in photos}

    def get(self, path: str) -> dict[str, object]:
        return dict(self._checked(self._http.get(path)).json())

    def post(self, path: str, images: Mapping[str, str], **fields: object) -> dict[str, object]:
        """Sends photos by name; a photo without a face gives the problem itself, code no_face_found."""
        files = {field: (name, self._photos[name].read()) for field, name in images.items()}
        data = {"face_selection": "central", **{key: str(value) for key, value in fields.items()}}
        for _ in range(100):
            answer = self._http.post(path, files=files, data=data)
            if answer.status_code != 429:
                break
            time.sleep(float(answer.headers["retry-after"]))
        return dict(self._checked(answer).json())

    def delete(self, path: str) -> None:
        self._http.delete(path)

    def close(self) -> None:
        self._http.close()

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code >= 400 and answer.json().get("code") != "no_face_found":
            raise DataError(f"{answer.request.url.path} answered {answer.status_code}: {answer.text[:300]}")
        return answer


def parity(service: Service, scored: Scored, listed: Sequence[Pair], threshold: float, encoder_id: str) -> Parity:
    """Every listed pair through POST /verify. Raises DataError where the service runs another encoder."""
    if service.get("/model")["encoder_id"] != encoder_id:
        raise DataError("The service runs another encoder than the bundle named.")
    offline = scored.similarities(listed)
    differences, verdicts, lost = [0.0], 0, set()
    for pair, expected in zip(track(listed, "Asking the service"), offline, strict=True):
        answer = service.post("/verify", {"image1": pair.first, "image2": pair.second})
        if "similarity" not in answer:
            lost.add(pair.first if answer.get("field") == "image1" else pair.second)
            verdicts += expected != MISSING
            continue
        differences.append(abs(float(str(answer["similarity"])) - expected))
        verdicts += bool(answer["verified"]) != bool(expected >= threshold)
    return Parity(len(listed), tuple(sorted(lost)), max(differences), verdicts)


@dataclass(frozen=True)
class Identified:
    """An open-set trial: enrolled from one photo each, searched with another; and people who are not enrolled."""

    enrolled: int
    mated: int
    nonmated: int
    rank1: float  # share of mated probes whose best candidate is the right one
    fnir: float  # share of mated probes not answered with a match of the right identity
    fpir: float  # share of non-mated probes answered with a match or as ambiguous
    threshold: float
    target_met: bool
    answers: tuple[tuple[str, str, float], ...]  # probe, decision, best similarity


def identification(
    service: Service, photos: Sequence[Photo], people: frozenset[str], count: int, gallery: str, *, enroll: bool
) -> Identified:
    """Enrolls `count` people from their first photo (unless they are already), then searches with their second, and
    with the first of `count` others. Who is who follows from the names alone. Raises DataError with too few people."""
    with_two = sorted(_first_two(photos, people).items())
    if len(with_two) < 2 * count:
        raise DataError(f"{2 * count} people with two photos are needed; there are {len(with_two)}.")
    # Every second one, so that the two halves do not differ by the alphabet.
    mated, strangers = with_two[: 2 * count : 2], with_two[1 : 2 * count : 2]
    if enroll:
        service.delete(f"/galleries/{gallery}")
        for person, (first, _) in track(mated, "Enrolling"):
            service.post("/enroll", {"image": first}, identity=person, gallery=gallery)
    right = best = wrong = 0
    answers = []
    threshold, target_met = float("nan"), False
    probes: list[tuple[str, str | None]] = [(second, person) for person, (_, second) in mated]
    probes += [(first, None) for _, (first, _) in strangers]
    for probe, expected in track(probes, "Identifying"):
        answer = service.post("/identify", {"image": probe}, gallery=gallery)
        candidates: Any = answer.get("candidates")
        decision = str(answer.get("decision", "no_face_found"))
        top: Any = candidates[0] if candidates else {"identity": None, "similarity": MISSING}
        threshold = float(str(answer.get("threshold", threshold)))
        target_met = bool(answer.get("target_met", target_met))
        answers.append((probe, decision, float(top["similarity"])))
        if expected is None:
            wrong += decision in ("match", "ambiguous")
        else:
            best += top["identity"] == expected
            right += decision == "match" and top["identity"] == expected
    return Identified(
        count, count, count, best / count, 1 - right / count, wrong / count, threshold, target_met, tuple(answers)
    )


def _first_two(photos: Sequence[Photo], people: frozenset[str]) -> dict[str, tuple[str, str]]:
    return {person: (names[0], names[1]) for person, names in _by_person(photos) if person in people and len(names) > 1}


def _by_person(photos: Sequence[Photo]) -> Iterator[tuple[str, list[str]]]:
    names: dict[str, list[str]] = {}
    for photo in photos:
        names.setdefault(photo.person, []).append(photo.name)
    yield from names.items()


def spread(first: Identified, second: Identified) -> float:
    """The largest difference in similarity between two trials of the same probes; infinite where decisions differ."""
    if [answer[:2] for answer in first.answers] != [answer[:2] for answer in second.answers]:
        return float("inf")
    return float(np.abs(np.array([a[2] for a in first.answers]) - np.array([a[2] for a in second.answers])).max())
