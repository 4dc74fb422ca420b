"""Requests that benchmarks send."""

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Final

import httpx

from benchmarks.service.load import multipart_request
from training.data.photos import Photo

GALLERY_SIZE: Final = 100  # people enrolled for /identify
REQUESTS: Final = 64


def verify_requests(url: str, photos: Sequence[Photo]) -> list[bytes]:
    """Returns REQUESTS requests to /verify, each with two consecutive photos."""
    chosen = list(islice(cycle(photos), 2 * REQUESTS))
    return [
        multipart_request(url, "/verify", {"image1": first.read(), "image2": second.read()})
        for first, second in zip(chosen[::2], chosen[1::2], strict=True)
    ]


def identify_requests(url: str, photos: Sequence[Photo]) -> list[bytes]:
    """Returns REQUESTS requests to /identify."""
    return [multipart_request(url, "/identify", {"image": photo.read()}) for photo in islice(cycle(photos), REQUESTS)]


def enroll_photos(url: str, photos: Sequence[Photo]) -> None:
    """Enrolls the first GALLERY_SIZE photos, each as a person of its own."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for number, photo in enumerate(photos[:GALLERY_SIZE]):
            client.post("/enroll", files={"image": photo.read()}, data={"identity": str(number)}).raise_for_status()
