"""POST /enroll with several photos."""

import base64
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.fakes import BLUE, RED, REDDISH, UNRECOGNIZABLE, encoded, picture
from tests.support.pictures import noise
from tests.support.problems import check_problem
from tests.support.service import enroll, identify


def enroll_several(client: TestClient, identity: str, *photos: bytes, key: str | None = None, **fields: str) -> Any:
    files = [("images", (f"{number}.jpg", photo)) for number, photo in enumerate(photos)]
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/enroll", files=files, data={"identity": identity, **fields}, headers=headers)


def test_every_photo_becomes_a_template(client: TestClient) -> None:
    answer = enroll_several(client, "ruby", picture(RED), picture(REDDISH), picture((200, 60, 60)))
    assert answer.status_code == 201
    enrolled = answer.json()
    ids = [each["template_id"] for each in enrolled["templates"]]
    assert (len(set(ids)), enrolled["template_id"]) == (3, ids[0])
    stored = client.get("/identities/ruby").json()["templates"]
    assert {each["template_id"] for each in stored} == set(ids)
    assert identify(client, picture(RED)).json()["gallery_size"] == 3
    assert len(enroll(client, "azure", picture(BLUE)).json()["templates"]) == 1


def test_photos_can_be_sent_as_json(client: TestClient) -> None:
    photos = [base64.b64encode(picture(colour)).decode() for colour in (RED, REDDISH)]
    answer = client.post("/enroll", json={"identity": "ruby", "images": photos})
    assert len(answer.json()["templates"]) == 2


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        (picture((0, 0, 0)), 422, "no_face_found"),
        (picture(UNRECOGNIZABLE), 422, "unrecognizable_face"),
        (b"not a photo, but something else altogether \xff", 415, "unsupported_image"),
        (b"", 400, "empty_image"),
    ],
)
def test_one_bad_photo_is_named_and_nothing_is_stored(client: TestClient, bad: bytes, status: int, code: str) -> None:
    problem = check_problem(enroll_several(client, "ruby", picture(RED), bad, picture(RED)), status, code)
    assert problem["field"] == "images.1"
    check_problem(client.get("/identities/ruby"), 404, "unknown_identity")


def test_a_photo_of_low_quality_is_named(client: TestClient) -> None:
    answer = enroll_several(client, "ruby", picture(RED), picture(RED), min_quality="0.9")
    check_problem(answer, 422, "low_quality", "images.0")


def test_a_photo_of_somebody_else_gives_a_warning(client: TestClient) -> None:
    warnings = enroll_several(client, "ruby", picture(RED), picture(REDDISH), picture(BLUE)).json()["warnings"]
    assert [each["message"][:7] for each in warnings if each["code"] == "outlier"] == ["Photo 3"]


def test_a_request_that_is_sent_again_stores_nothing_twice(client: TestClient) -> None:
    photos = [picture(RED), picture(REDDISH)]
    first, again = [enroll_several(client, "ruby", *photos, key="k1").json() for _ in range(2)]
    assert [each["template_id"] for each in again["templates"]] == [each["template_id"] for each in first["templates"]]
    check_problem(enroll_several(client, "ruby", photos[0], key="k1"), 422, "idempotency_key_reused")
    assert identify(client, picture(RED)).json()["gallery_size"] == 2


def test_replacing_with_several_photos_deletes_the_old_ones(client: TestClient) -> None:
    enroll(client, "ruby", picture(BLUE))
    enroll_several(client, "ruby", picture(RED), picture(REDDISH), if_exists="replace")
    assert len(client.get("/identities/ruby").json()["templates"]) == 2
    check_problem(enroll_several(client, "ruby", picture(RED), picture(RED)), 409, "identity_exists")


def test_the_number_of_photos_is_bounded(client: TestClient) -> None:
    check_problem(enroll_several(client, "ruby", *[picture(RED)] * 11), 400, "malformed_request", "images")
    both = {"image": picture(RED), "images": picture(RED)}
    check_problem(client.post("/enroll", files=both, data={"identity": "ruby"}), 400, "malformed_request", "either")
    check_problem(client.post("/enroll", json={"identity": "ruby", "images": []}), 400, "malformed_request")


def test_a_jpeg_without_its_end_marker_gives_a_notice_wherever_it_is_sent(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    photo = encoded(noise(64, 64), "JPEG")[:-2]
    verified = client.post("/verify", files={"image1": photo, "image2": picture(RED)})
    forms = {"identity": "ruby", "if_exists": "add"}
    for answer in (
        verified,
        client.post("/verify", files={"image1": photo}, data={"identity": "ruby"}),
        client.post("/enroll", files={"image": photo}, data=forms),
        client.post("/identify", files={"image": photo}),
        client.post("/embed", files={"image": photo}),
        client.post("/detect", files={"image": photo}),
        client.post("/reject", files={"image": photo}, data={"identity": "ruby"}),
    ):
        assert "ends_early" in [each["code"] for each in answer.json()["warnings"]], answer.text
