"""Every invalid request is answered with its status, its code and a helpful message."""

import base64
import threading
import time
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from model.encoder.encoding import Encoding
from tests.support.fakes import RED, FakeEncoder, encoded, picture
from tests.support.pictures import png_of_size, two_colours
from tests.support.problems import check_problem
from tests.support.service import Start

GOOD = picture(RED)
JPEG = encoded(two_colours(), "JPEG")
TWO_PEOPLE = picture(RED, (80, 40))
NO_FACE = picture((0, 0, 0))


@pytest.mark.parametrize(
    ("image", "status", "code", "words"),
    [
        (b"", 400, "empty_image", "0 bytes"),
        (b"Dear Sir or Madam", 415, "unsupported_image", "Send JPEG"),
        (JPEG[: len(JPEG) // 2], 400, "corrupt_image", "whole file"),
        (png_of_size(40_000, 40_000), 413, "image_too_large", "pixels"),
        (NO_FACE, 422, "no_face_found", "No face was found"),
    ],
    ids=["0 bytes", "text named .jpg", "truncated jpeg", "png bomb", "no face"],
)
@pytest.mark.parametrize("field", ["image1", "image2"])
def test_a_bad_photo_is_refused_with_its_code_and_field(
    client: TestClient, image: bytes, status: int, code: str, words: str, field: str
) -> None:
    files = {name: ("photo.jpg", image if name == field else GOOD) for name in ("image1", "image2")}
    assert check_problem(client.post("/verify", files=files), status, code, words)["field"] == field


def test_a_photo_or_request_over_the_byte_limit_is_413(start: Start) -> None:
    client = start(max_image_bytes=2000)
    check_problem(
        client.post("/detect", files={"image": b"\xff\xd8\xff" + bytes(3000)}), 413, "image_too_large", "2,000"
    )
    check_problem(client.post("/detect", files={"image": bytes(200_000)}), 413, "image_too_large", "request")
    as_json = client.post("/detect", content=b"x" * 300_000, headers={"content-type": "application/json"})
    check_problem(as_json, 413, "image_too_large", "request")


def test_several_faces_are_refused_with_face_selection_single(client: TestClient) -> None:
    answer = client.post("/identify", files={"image": TWO_PEOPLE}, data={"face_selection": "single"})
    check_problem(answer, 422, "several_faces", "2 faces", "largest or central")


@pytest.mark.parametrize(
    ("what", "field", "words"),
    [
        ({}, "body", "send multipart"),
        ({"headers": {"content-type": "application/json"}}, "body", "empty"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "body", "not valid JSON"),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, "body", "32 levels"),
        ({"json": [1, 2]}, "body", "dictionary"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "body", "multipart"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=a"}}, "body", "multipart"),
        ({"content": b"x", "headers": {"content-type": "image/jpeg"}}, "body", "multipart"),
        ({"files": {"image1": GOOD}}, "body", "either `image2` or `identity`"),
        ({"files": {"image1": GOOD, "photo": GOOD}}, "photo", "not permitted"),
        ({"files": {"image1": GOOD, "image2": GOOD}, "data": {"fmr": "0.1"}}, "fmr", "not permitted"),
        ({"files": {"image1": GOOD}, "data": {"image2": "photo.jpg"}}, "image2", "file"),
        ({"json": {"image1": "%%%", "image2": "AAAA"}}, "image1", "base64"),
        ({"json": {"image1": "é", "image2": "AAAA"}}, "image1", "base64"),
        ({"json": {"image1": 5, "image2": "AAAA"}}, "image1", "bytes"),
        ({"json": {"image1": "AAAA", "image2": "AAAA", "target_fmr": "0.1"}}, "target_fmr", "must be a number"),
        ({"json": {"image1": "AAAA", "image2": "AAAA", "target_fmr": True}}, "target_fmr", "must be a number"),
        ({"files": {"image1": GOOD, "image2": GOOD}, "data": {"target_fmr": "nan"}}, "target_fmr", "finite"),
        ({"files": {"image1": GOOD, "image2": GOOD}, "data": {"target_fmr": "0"}}, "target_fmr", "greater than 0"),
        ({"files": {"image1": GOOD, "image2": GOOD}, "data": {"face_selection": "all"}}, "face_selection", "'single'"),
    ],
)
def test_a_malformed_request_names_the_field_and_never_quotes_the_photo(
    client: TestClient, what: dict[str, Any], field: str, words: str
) -> None:
    problem = check_problem(client.post("/verify", **what), 400, "malformed_request", words)
    assert field in [error["field"] for error in problem["errors"]]
    assert all(set(error) == {"field", "message"} for error in problem["errors"])
    assert "PNG" not in str(problem)


@pytest.mark.parametrize("name", ["", "   ", "a/b", "a\nb", "x" * 201])
def test_an_invalid_identity_name_is_refused(client: TestClient, name: str) -> None:
    answer = client.post("/enroll", files={"image": GOOD}, data={"identity": name})
    check_problem(answer, 400, "malformed_request", "identity")


def test_metadata_must_be_a_json_object_of_limited_size(client: TestClient) -> None:
    for metadata in ("[1]", "{", '{"a": "' + "x" * 20_000 + '"}'):
        answer = client.post("/enroll", files={"image": GOOD}, data={"identity": "ada", "metadata": metadata})
        check_problem(answer, 400, "malformed_request", "metadata")


def test_an_unsupported_target_names_the_lowest_supported_rate(client: TestClient) -> None:
    answer = client.post("/verify", files={"image1": GOOD, "image2": GOOD}, data={"target_fmr": "1e-7"})
    check_problem(answer, 422, "target_unsupported", "lowest supported is 0.001")


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
def test_a_missing_resource_is_404_with_its_own_code(client: TestClient, method: str, path: str, code: str) -> None:
    check_problem(client.request(method, path), 404, code)


def test_identify_in_an_unknown_gallery_is_404(client: TestClient) -> None:
    check_problem(client.post("/identify", files={"image": GOOD}, data={"gallery": "nowhere"}), 404, "unknown_gallery")


def test_a_wrong_method_and_an_invalid_query_are_problems_too(client: TestClient) -> None:
    check_problem(client.get("/verify"), 405, "method_not_allowed")
    check_problem(client.get("/identities?limit=0"), 400, "malformed_request", "limit")
    check_problem(client.get("/identities?gallery=a/b"), 400, "malformed_request", "gallery")


def test_a_refused_enrollment_stores_nothing(client: TestClient) -> None:
    for image in (b"", NO_FACE, JPEG[:100]):
        assert client.post("/enroll", files={"image": image}, data={"identity": "ada"}).status_code >= 400
    assert client.get("/identities").json()["identities"] == []


class SlowEncoder(FakeEncoder):
    def __init__(self) -> None:
        self.gate = threading.Event()

    def encode(self, crops: np.ndarray) -> Encoding:
        self.gate.wait(5)
        return super().encode(crops)


def test_a_full_queue_is_429_with_retry_after(start: Start) -> None:
    slow = SlowEncoder()
    client = start(encoder=slow, threads=1, max_waiting=0)
    first = threading.Thread(target=client.post, args=("/embed",), kwargs={"files": {"image": GOOD}})
    first.start()
    time.sleep(0.3)
    answer = client.post("/embed", files={"image": GOOD})
    slow.gate.set()
    first.join()
    check_problem(answer, 429, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1
    assert client.post("/embed", files={"image": GOOD}).status_code == 200


def test_a_request_beyond_the_deadline_is_504(start: Start) -> None:
    slow = SlowEncoder()
    client = start(encoder=slow, deadline_s=0.2)
    check_problem(client.post("/embed", files={"image": GOOD}), 504, "deadline_exceeded")
    slow.gate.set()


class BrokenEncoder(FakeEncoder):
    def encode(self, crops: np.ndarray) -> Encoding:
        raise RuntimeError(f"secret {crops[0, 0, 0]}")


def test_an_unexpected_error_is_500_with_only_the_request_id(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    answer = start(encoder=BrokenEncoder()).post("/embed", files={"image": GOOD}, headers={"x-request-id": "abc-1"})
    problem = check_problem(answer, 500, "internal_error")
    assert problem["request_id"] == "abc-1"
    assert "secret" not in str(problem)
    (record,) = [record for record in caplog.records if record.message == "internal_error"]
    assert record.__dict__["error"] == "RuntimeError"
    assert "test_problems" in record.__dict__["where"]
    assert record.__dict__["ours"].startswith("app/")
    assert "secret" not in caplog.text


def test_a_service_that_is_not_ready_is_503_with_the_reason(start: Start) -> None:
    client = start(not_ready=("the network computes other vectors",))
    check_problem(client.post("/embed", files={"image": GOOD}), 503, "not_ready", "other vectors")
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["the network computes other vectors"])
    assert client.get("/healthz").status_code == 200


def test_requests_without_a_valid_key_are_401(start: Start) -> None:
    client = start(api_keys="a-key-of-sixteen!,b-key-of-sixteen!")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic a-key-of-sixteen!"}):
        photo = client.post("/detect", files={"image": GOOD}, headers=headers)
        for call in (photo, *(client.get(path, headers=headers) for path in ("/galleries", "/model"))):
            check_problem(call, 401, "unauthorized", "Authorization: Bearer")
            assert call.headers["www-authenticate"] == "Bearer"
    for key in ("a-key-of-sixteen!", "b-key-of-sixteen!"):
        answer = client.post("/detect", files={"image": GOOD}, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_logs_contain_no_photos_names_or_vectors(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
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
