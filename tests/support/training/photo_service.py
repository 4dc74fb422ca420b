"""A fake facetwin service that recognises photos by their names, and photos for it."""

from pathlib import Path

import httpx

from training.data.photos import Photo
from training.evaluation.service_client import ServiceClient

NAMES = tuple(f"p{person}/p{person}_{photo:04d}.jpg" for person in range(8) for photo in (1, 2))


class FakeFaceService:
    """Answers every pair with `similarity`. p1/p1_0001.jpg has no face. The first two requests are refused with 429."""

    def __init__(self, similarity: float = 0.5) -> None:
        self.similarity = similarity
        self.enrolled: set[str] = set()
        self.overloaded_requests = 2

    def __call__(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        match request.method, request.url.path:
            case "GET", "/model":
                return httpx.Response(200, json={"encoder_id": "e"})
            case "DELETE", _:
                return httpx.Response(404, json={"code": "unknown_gallery"})
            case _ if self.overloaded_requests:
                self.overloaded_requests -= 1
                return httpx.Response(429, headers={"retry-after": "0"}, json={"code": "overloaded"})
            case "POST", "/verify" if b"p1_0001" in content:
                return httpx.Response(422, json={"code": "no_face_found", "field": "image1"})
            case "POST", "/verify":
                return httpx.Response(200, json={"similarity": self.similarity, "verified": self.similarity >= 0.4})
            case "POST", "/enroll":
                self.enrolled.add(_person_of(content))
                return httpx.Response(201, json={})
            case "POST", "/identify":
                return httpx.Response(200, json=self._search(_person_of(content)))
        return httpx.Response(500, json={"code": "internal_error"})

    def _search(self, person: str) -> dict[str, object]:
        known = person in self.enrolled
        best = {"identity": person if known else "p0", "similarity": 0.9 if known else 0.1}
        decision = "match" if known else "unknown"
        return {"decision": decision, "candidates": [best], "threshold": 0.4, "target_met": True}


def write_named_photos(folder: Path) -> list[Photo]:
    """Files that hold their own names, two for each of eight people."""
    for name in NAMES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    return [Photo(name, folder / name) for name in NAMES]


def connect(service: FakeFaceService, photos: list[Photo]) -> ServiceClient:
    return ServiceClient("http://fake", photos, transport=httpx.MockTransport(service))


def _person_of(content: bytes) -> str:
    return content.decode().split('name="image"')[1].split("\r\n\r\n")[1].split("/")[0]
