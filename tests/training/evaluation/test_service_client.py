from pathlib import Path

import httpx
import pytest

from tests.support.training.photo_service import NAMES, FakeFaceService, connect, write_named_photos
from training.data.errors import DataError
from training.evaluation.service_client import ServiceClient


def test_an_error_that_the_photo_does_not_explain_is_raised(tmp_path: Path) -> None:
    service = FakeFaceService()
    service.overloaded_requests = 0
    client = connect(service, write_named_photos(tmp_path))
    with pytest.raises(DataError, match="/unknown answered 500"):
        client.post("/unknown", {"image": NAMES[0]})


def test_a_photo_without_a_face_returns_the_problem(tmp_path: Path) -> None:
    client = connect(FakeFaceService(), write_named_photos(tmp_path))
    answer = client.post("/verify", {"image1": "p1/p1_0001.jpg", "image2": NAMES[0]})
    assert answer == {"code": "no_face_found", "field": "image1"}


def test_an_overloaded_service_is_asked_again(tmp_path: Path) -> None:
    service = FakeFaceService()
    client = connect(service, write_named_photos(tmp_path))
    assert client.post("/verify", {"image1": NAMES[0], "image2": NAMES[1]})["verified"] is True
    assert service.overloaded_requests == 0


def test_a_service_that_cannot_be_reached_is_reported() -> None:
    with pytest.raises(DataError, match=r"No facetwin service answers at http://127\.0\.0\.1:9"):
        ServiceClient("http://127.0.0.1:9", []).get("/model")


def test_a_url_without_a_scheme_is_reported() -> None:
    with pytest.raises(DataError, match="No facetwin service answers at"):
        ServiceClient("localhost", []).get("/model")


def test_an_error_page_that_is_not_json_is_reported() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(502, text="<html>Bad gateway"))
    with pytest.raises(DataError, match="answered 502: <html>Bad gateway"):
        ServiceClient("http://fake", [], transport=transport).get("/model")


@pytest.mark.parametrize("content", ["<html>Welcome", "3"])
def test_an_answer_of_something_else_is_reported(content: str) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=content))
    with pytest.raises(DataError, match="does not answer as facetwin does"):
        ServiceClient("http://fake", [], transport=transport).get("/model")
