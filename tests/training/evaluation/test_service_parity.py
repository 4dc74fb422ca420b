"""The figures through a service, over a fake one."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest

from training.data.photos import DataError, Pair, Photo
from training.evaluation.embeddings import Scored
from training.evaluation.service_parity import Service, identification, parity, spread

NAMES = tuple(f"p{person}/p{person}_{photo:04d}.jpg" for person in range(8) for photo in (1, 2))


def photos(folder: Path) -> list[Photo]:
    for name in NAMES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    return [Photo(name, folder / name) for name in NAMES]


def person_of(content: bytes) -> str:
    return content.decode().split('name="image"')[1].split("\r\n\r\n")[1].split("/")[0]


class FakeService:
    """Knows whom a photo shows, since it is its name; p1 has no face."""

    def __init__(self, similarity: float = 0.5) -> None:
        self.similarity = similarity
        self.enrolled: set[str] = set()
        self.busy = 2

    def __call__(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        match request.method, request.url.path:
            case "GET", "/model":
                return httpx.Response(200, json={"encoder_id": "e"})
            case "DELETE", _:
                return httpx.Response(404, json={"code": "unknown_gallery"})
            case _ if self.busy:
                self.busy -= 1
                return httpx.Response(429, headers={"retry-after": "0"}, json={"code": "overloaded"})
            case "POST", "/verify" if b"p1_0001" in content:
                return httpx.Response(422, json={"code": "no_face_found", "field": "image1"})
            case "POST", "/verify":
                return httpx.Response(200, json={"similarity": self.similarity, "verified": self.similarity >= 0.4})
            case "POST", "/enroll":
                self.enrolled.add(person_of(content))
                return httpx.Response(201, json={})
            case "POST", "/identify":
                return httpx.Response(200, json=self.search(person_of(content)))
        return httpx.Response(500, json={"code": "internal_error"})

    def search(self, person: str) -> dict[str, object]:
        known = person in self.enrolled
        best = {"identity": person if known else "p0", "similarity": 0.9 if known else 0.1}
        decision = "match" if known else "unknown"
        return {"decision": decision, "candidates": [best], "threshold": 0.4, "target_met": True}


def through(fake: FakeService, some: list[Photo]) -> Service:
    return Service("http://fake", some, transport=httpx.MockTransport(fake))


def scored(similarity: float) -> Scored:
    angles = np.where(np.arange(len(NAMES)) % 2, np.arccos(similarity), 0.0)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    kept = [row for row, name in enumerate(NAMES) if name != "p1/p1_0001.jpg"]
    return Scored(vectors[kept], tuple(NAMES[row] for row in kept), ("p1/p1_0001.jpg",))


PAIRS = [Pair(f"p{i}/p{i}_0001.jpg", f"p{i}/p{i}_0002.jpg", same=True) for i in range(3)]


def test_parity_counts_differences_verdicts_and_photos_without_a_face(tmp_path: Path) -> None:
    same = parity(through(FakeService(0.5), photos(tmp_path)), scored(0.5), PAIRS, 0.4, "e")
    assert same.largest_difference == pytest.approx(0, abs=1e-6)
    assert same.different_verdicts == 0
    assert same.without_face == ("p1/p1_0001.jpg",)
    other = parity(through(FakeService(0.3), photos(tmp_path)), scored(0.5), PAIRS, 0.4, "e")
    assert other.largest_difference == pytest.approx(0.2)
    assert other.different_verdicts == 2


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="another encoder"):
        parity(through(FakeService(), photos(tmp_path)), scored(0.5), PAIRS, 0.4, "f")


def test_identification_enrolls_half_and_searches_with_both_halves(tmp_path: Path) -> None:
    fake = FakeService()
    people = frozenset(f"p{i}" for i in range(8))
    service = through(fake, photos(tmp_path))
    result = identification(service, photos(tmp_path), people, 4, "g", enroll=True)
    assert fake.enrolled == {"p0", "p2", "p4", "p6"}
    assert (result.rank1, result.fnir, result.fpir) == (1.0, 0.0, 0.0)
    again = identification(service, photos(tmp_path), people, 4, "g", enroll=False)
    assert spread(result, again) == 0
    fake.enrolled.clear()
    forgetful = identification(service, photos(tmp_path), people, 4, "g", enroll=False)
    assert (forgetful.fnir, forgetful.fpir) == (1.0, 0.0)
    assert spread(result, forgetful) == float("inf")
    assert json.dumps(result.answers)


def test_too_few_people_are_refused(tmp_path: Path) -> None:
    some, people = photos(tmp_path), frozenset(f"p{i}" for i in range(8))
    with pytest.raises(DataError, match="there are 8"):
        identification(through(FakeService(), some), some, people, 5, "g", enroll=True)


def test_an_answer_that_no_photo_explains_is_an_error(tmp_path: Path) -> None:
    fake = FakeService()
    fake.busy = 0
    service = through(fake, photos(tmp_path))
    with pytest.raises(DataError, match="500"):
        service.post("/nonesuch", {"image": NAMES[0]})
