"""Every way to send something wrong has its status, its code, and words."""

import base64
import threading
import time
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.api.problems import STATUS
from tests.app.api.conftest import Start
from tests.model.test_images import png_of_size, two_colours
from tests.support.fakes import RED, FakeEncoder, encoded, picture

GOOD = picture(RED)
JPEG = encoded(two_colours(), "JPEG")
TWO_PEOPLE = picture(RED, (80, 40))
NOBODY = picture((0, 0, 0))


def refused(answer: Any, status: int, code: str, *words: str) -> dict[str, Any]:
    """Checks a problem and gives it back."""
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status == STATUS[code]
    assert problem["type"] == f"urn:facetwin:problem:{code}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    for word in words:
        assert word in problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("image", "status", "code", "words"),
    [
        (b"", 400, "empty_image", "0 bytes"),
        (b"Dear Sir or Madam", 415, "unsupported_image", "Send JPEG"),
        (JPEG[: len(JPEG) // 2], 400, "corrupt_image", "whole file"),
        (png_of_size(40_000, 40_000), 413, "image_too_large", "pixels"),
        (NOBODY, 422, "no_face_found", "No face was found"),
    ],
    ids=["0 bytes", "text named .jpg", "truncated jpeg", "png bomb", "no face"],
)
@pytest.mark.parametrize("field", ["image1", "image2"])
def test_a_bad_photo_is_refused_by_what_is_wrong_and_which_one(
    client: TestClient, image: bytes, status: int, code: str, words: str, field: str
) -> None:
    files = {name: ("photo.jpg", image if name == field else GOOD) for name in ("image1", "image2")}
    assert refused(client.post("/verify", files=files), status, code, words)["field"] == field


def test_more_bytes_than_the_limit_are_refused(start: Start) -> None:
    client = start(max_image_bytes=2000)
    refused(client.post("/detect", files={"image": b"\xff\xd8\xff" + bytes(3000)}), 413, "image_too_large", "2,000")
    refused(client.post("/detect", files={"image": bytes(200_000)}), 413, "image_too_large", "request")
    as_json = client.post("/detect", content=b"x" * 300_000, headers={"content-type": "application/json"})
    refused(as_json, 413, "image_too_large", "request")


def test_two_people_where_one_is_asked_for(client: TestClient) -> None:
    answer = client.post("/identify", files={"image": TWO_PEOPLE}, data={"face_selection": "single"})
    refused(answer, 422, "several_faces", "2 faces", "largest or central")


@pytest.mark.parametrize(
    ("what", "field", "words"),
    [
        ({}, "body", "send multipart"),
        ({"headers": {"content-type": "application/json"}}, "body", "empty"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "body", "not valid JSON"),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, "body", "not valid JSON"),
        ({"json": [1, 2]}, "body", "dictionary"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "body", "multipart"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=a"}}, "body", "multipart"),
        ({"content": b"x", "headers": {"content-type": "image/jpeg"}}, "body", "multipart"),
        ({"files": {"image1": GOOD}}, "image2", "required"),
        ({"files": {"image1": GOOD, "photo": GOOD}}, "image2", "required"),
        ({"files": {"image1": GOOD, "image2": GOOD}, "data": {"fmr": "0.1"}}, "fmr", "not permitted"),
        ({"files": {"image1": GOOD}, "data": {"image2": "photo.jpg"}}, "image2", "file"),
        ({"json": {"image1": "%%%", "image2": "AAAA"}}, "image1", "base64"),
        ({"json": {"image1": "é", "image2": "AAAA"}}, "image1", "base64"),
        ({"json": {"image1": 5, "image2": "AAAA"}}, "image1", "bytes"),
        ({"files": {"image1": GOOD, "image2": GOOD}, "data": {"target_fmr": "nan"}}, "target_fmr", "finite"),
        ({"files": {"image1": GOOD, "image2": GOOD}, "data": {"target_fmr": "0"}}, "target_fmr", "greater than 0"),
        ({"files": {"image1": GOOD, "image2": GOOD}, "data": {"face_selection": "all"}}, "face_selection", "'single'"),
    ],
)
def test_a_malformed_request_names_the_field_and_never_quotes_the_photo(
    client: TestClient, what: dict[str, Any], field: str, words: str
) -> None:
    problem = refused(client.post("/verify", **what), 400, "malformed_request", words)
    assert field in [error["field"] for error in problem["errors"]]
    assert all(set(error) == {"field", "message"} for error in problem["errors"])
    assert "PNG" not in str(problem)


@pytest.mark.parametrize("name", ["", "   ", "a/b", "a\nb", "x" * 201])
def test_an_impossible_name_is_refused(client: TestClient, name: str) -> None:
    answer = client.post("/enroll", files={"image": GOOD}, data={"identity": name})
    refused(answer, 400, "malformed_request", "identity")


def test_metadata_that_is_no_object_or_too_large_is_refused(client: TestClient) -> None:
    for metadata in ("[1]", "{", '{"a": "' + "x" * 20_000 + '"}'):
        answer = client.post("/enroll", files={"image": GOOD}, data={"identity": "ada", "metadata": metadata})
        refused(answer, 400, "malformed_request", "metadata")


def test_an_unsupported_target_names_the_best_attainable(client: TestClient) -> None:
    answer = client.post("/verify", files={"image1": GOOD, "image2": GOOD}, data={"target_fmr": "1e-7"})
    refused(answer, 422, "target_unsupported", "lowest supported is 0.001")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/identities/nobody", "unknown_identity"),
        ("DELETE", "/identities/nobody", "unknown_identity"),
        ("DELETE", "/identities/nobody/templates/x", "unknown_identity"),
        ("GET", "/identities?gallery=nowhere", "unknown_gallery"),
        ("GET", "/identities/nobody?gallery=nowhere", "unknown_gallery"),
        ("DELETE", "/galleries/nowhere", "unknown_gallery"),
        ("GET", "/nowhere", "not_found"),
    ],
)
def test_what_does_not_exist_is_404_with_its_own_code(client: TestClient, method: str, path: str, code: str) -> None:
    refused(client.request(method, path), 404, code)


def test_identify_in_an_unknown_gallery(client: TestClient) -> None:
    refused(client.post("/identify", files={"image": GOOD}, data={"gallery": "nowhere"}), 404, "unknown_gallery")


def test_a_wrong_method_and_a_wrong_query_are_problems_too(client: TestClient) -> None:
    refused(client.get("/verify"), 405, "method_not_allowed")
    refused(client.get("/identities?limit=0"), 400, "malformed_request", "limit")
    refused(client.get("/identities?gallery=a/b"), 400, "malformed_request", "gallery")


def test_nothing_is_kept_of_a_refused_enrolment(client: TestClient) -> None:
    for image in (b"", NOBODY, JPEG[:100]):
        assert client.post("/enroll", files={"image": image}, data={"identity": "ada"}).status_code >= 400
    assert client.get("/identities").json()["identities"] == []


class SlowEncoder(FakeEncoder):
    def __init__(self) -> None:
        self.gate = threading.Event()

    def encode(self, crops: np.ndarray) -> np.ndarray:
        self.gate.wait(5)
        return super().encode(crops)


def test_a_full_queue_is_429_with_when_to_come_again(start: Start) -> None:
    slow = SlowEncoder()
    client = start(encoder=slow, threads=1, max_waiting=0)
    first = threading.Thread(target=client.post, args=("/embed",), kwargs={"files": {"image": GOOD}})
    first.start()
    time.sleep(0.3)
    answer = client.post("/embed", files={"image": GOOD})
    slow.gate.set()
    first.join()
    refused(answer, 429, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1
    assert client.post("/embed", files={"image": GOOD}).status_code == 200


def test_what_takes_too_long_is_504(start: Start) -> None:
    slow = SlowEncoder()
    client = start(encoder=slow, deadline_s=0.2)
    refused(client.post("/embed", files={"image": GOOD}), 504, "deadline_exceeded")
    slow.gate.set()


class BrokenEncoder(FakeEncoder):
    def encode(self, crops: np.ndarray) -> np.ndarray:
        raise RuntimeError(f"secret {crops[0, 0, 0]}")


def test_an_error_of_ours_is_500_with_nothing_but_the_request_id(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    answer = start(encoder=BrokenEncoder()).post("/embed", files={"image": GOOD}, headers={"x-request-id": "abc-1"})
    problem = refused(answer, 500, "internal_error")
    assert problem["request_id"] == "abc-1"
    assert "secret" not in str(problem)
    (record,) = [record for record in caplog.records if record.message == "internal_error"]
    assert record.__dict__["error"] == "RuntimeError"
    assert "test_bad_input" in record.__dict__["where"]
    assert "secret" not in caplog.text


def test_a_service_that_must_not_answer_is_503_with_the_reason(start: Start) -> None:
    client = start(not_ready=("the network computes other vectors",))
    refused(client.post("/embed", files={"image": GOOD}), 503, "not_ready", "other vectors")
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["the network computes other vectors"])
    assert client.get("/healthz").status_code == 200


def test_without_a_key_or_with_a_wrong_one_nobody_gets_in(start: Start) -> None:
    client = start(api_keys="a-key-of-sixteen!,b-key-of-sixteen!")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic a-key-of-sixteen!"}):
        photo = client.post("/detect", files={"image": GOOD}, headers=headers)
        for call in (photo, *(client.get(path, headers=headers) for path in ("/galleries", "/model"))):
            refused(call, 401, "unauthorized", "Authorization: Bearer")
            assert call.headers["www-authenticate"] == "Bearer"
    for key in ("a-key-of-sixteen!", "b-key-of-sixteen!"):
        answer = client.post("/detect", files={"image": GOOD}, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_neither_photos_nor_names_nor_vectors_are_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="facetwin")
    client.post("/enroll", files={"image": ("ada-lovelace.png", GOOD)}, data={"identity": "ada-lovelace"})
    client.post("/verify", json={"image1": base64.b64encode(GOOD).decode(), "image2": "AAAA"})
    client.get("/identities/ada-lovelace")
    client.delete("/identities/ada-lovelace")
    ours = [record for record in caplog.records if record.name.startswith("facetwin")]
    assert len([record for record in ours if record.message == "request"]) == 4
    logged = " ".join(str(record.__dict__) for record in ours)
    assert "/identities/{identity}" in logged
    for secret in ("lovelace", "PNG", base64.b64encode(GOOD).decode()[:20]):
        assert secret not in logged
