"""Negative templates: what was rejected is not matched again."""

import json

import pytest
from fastapi.testclient import TestClient

from tests.support.fakes import BLUE, RED, REDDISH, UNRECOGNIZABLE, picture
from tests.support.problems import check_problem
from tests.support.service import Start, enroll, identify, verify_identity

PINK = (220, 75, 70)  # matches RED, and is somebody else


def reject(client: TestClient, identity: str, image: bytes, **fields: str) -> dict[str, str]:
    answer = client.post("/reject", files={"image": image}, data={"identity": identity, **fields})
    assert answer.status_code == 201, answer.text
    rejection: dict[str, str] = answer.json()
    return rejection


@pytest.fixture
def rejected(client: TestClient) -> str:
    """Ruby is enrolled, and a match of PINK was rejected."""
    enroll(client, "ruby", picture(RED))
    assert identify(client, picture(PINK)).json()["identity"] == "ruby"
    return reject(client, "ruby", picture(PINK))["rejection_id"]


def test_a_rejected_match_is_not_repeated_and_the_person_still_matches(client: TestClient, rejected: str) -> None:
    answer = identify(client, picture(PINK)).json()
    assert (answer["decision"], answer["identity"]) == ("unknown", None)
    (candidate,) = answer["candidates"]
    assert (candidate["rejected"], candidate["above_threshold"]) == (True, False)
    assert [each["code"] for each in answer["warnings"]] == ["rejected"]
    alike = identify(client, picture((220, 74, 72))).json()  # another photo of the rejected person
    assert alike["decision"] == "unknown"
    ruby = identify(client, picture(REDDISH)).json()
    assert (ruby["identity"], ruby["candidates"][0]["rejected"], ruby["warnings"]) == ("ruby", False, [])


def test_a_rejected_face_is_not_verified(client: TestClient, rejected: str) -> None:
    answer = verify_identity(client, picture(PINK), "ruby").json()
    assert answer["similarity"] >= answer["threshold"]
    assert (answer["verified"], answer["rejected"]) == (False, True)
    assert "rejected" in [each["code"] for each in answer["warnings"]]
    assert verify_identity(client, picture(RED), "ruby").json()["verified"]


def test_the_next_candidate_is_named_instead_even_behind_many_rejected_ones(client: TestClient) -> None:
    for number in range(6):
        enroll(client, f"ruby {number}", picture(RED))
        reject(client, f"ruby {number}", picture(PINK))
    enroll(client, "rose", picture((225, 80, 66)))
    answer = identify(client, picture(PINK), top_k=1).json()
    assert (answer["decision"], answer["identity"]) == ("match", "rose")


def test_rejections_are_listed_and_can_be_forgotten(client: TestClient, rejected: str) -> None:
    listed = client.get("/identities/ruby/rejections").json()["rejections"]
    assert [each["rejection_id"] for each in listed] == [rejected]
    assert set(listed[0]) == {"rejection_id", "encoder_id", "created_at"}
    assert reject(client, "ruby", picture(PINK))["rejection_id"] == rejected
    gone = client.delete(f"/identities/ruby/rejections/{rejected}").json()
    assert (gone["rejection_id"], gone["erasure"]["complete"]) == (rejected, True)
    assert identify(client, picture(PINK)).json()["identity"] == "ruby"
    check_problem(client.delete(f"/identities/ruby/rejections/{rejected}"), 404, "unknown_rejection")


def test_rejections_go_with_the_identity(client: TestClient, rejected: str) -> None:
    client.delete("/identities/ruby")
    check_problem(client.get("/identities/ruby/rejections"), 404, "unknown_identity")
    enroll(client, "ruby", picture(RED))
    assert client.get("/identities/ruby/rejections").json() == {"rejections": []}
    assert identify(client, picture(PINK)).json()["identity"] == "ruby"


def test_enrolling_a_rejected_face_gives_a_warning(client: TestClient, rejected: str) -> None:
    warnings = enroll(client, "ruby", picture(PINK), if_exists="add").json()["warnings"]
    assert "rejected" in [each["code"] for each in warnings]


def test_an_embedding_can_be_rejected(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    probe = client.post("/embed", files={"image": picture(PINK)}).json()
    body = {"identity": "ruby", "embedding": probe["embedding"], "encoder_id": probe["model"]["encoder_id"]}
    assert client.post("/reject", json=body).status_code == 201
    assert identify(client, picture(PINK)).json()["decision"] == "unknown"


def test_what_cannot_be_rejected_is_refused(start: Start) -> None:
    client = start()
    photo = {"image": picture(BLUE)}
    check_problem(client.post("/reject", files=photo, data={"identity": "ruby"}), 404, "unknown_identity")
    check_problem(client.post("/reject", files=photo), 400, "malformed_request")
    enroll(client, "ruby", picture(RED))
    bad = {"image": picture(UNRECOGNIZABLE)}
    check_problem(client.post("/reject", files=bad, data={"identity": "ruby"}), 422, "unrecognizable_face")
    for number in range(100):
        vector = [1 / 3, 2 / 3, -(2 / 3) - number * 1e-6]
        body = {"identity": "ruby", "embedding": vector, "encoder_id": "e" * 64}
        assert client.post("/reject", content=json.dumps(body), headers=JSON).status_code == 201
    check_problem(client.post("/reject", files=photo, data={"identity": "ruby"}), 409, "too_many_rejections")


JSON = {"content-type": "application/json"}
