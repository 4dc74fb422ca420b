import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from tests.support.fakes import BLUE, RED, REDDISH, picture
from tests.support.service import enroll, identify


def test_identities_are_listed_in_pages_and_deleted(client: TestClient) -> None:
    template = enroll(client, "ruby", picture(RED)).json()["template_id"]
    enroll(client, "azure", picture(BLUE))
    page = client.get("/identities", params={"limit": 1}).json()
    assert [each["identity"] for each in page["identities"]] == ["azure"]
    rest = client.get("/identities", params={"limit": 1, "after": page["next_after"]}).json()
    assert [each["identity"] for each in rest["identities"]] == ["ruby"]
    receipt = client.delete("/identities/ruby").json()
    assert (receipt["identities"], receipt["template_ids"]) == (["ruby"], [template])
    assert identify(client, picture(REDDISH)).json()["decision"] == "unknown"


def test_one_template_of_several_can_be_deleted(client: TestClient) -> None:
    first = enroll(client, "ruby", picture(RED)).json()["template_id"]
    enroll(client, "ruby", picture(REDDISH), if_exists="add")
    assert client.delete(f"/identities/ruby/templates/{first}").json()["identities"] == []
    assert len(client.get("/identities/ruby").json()["templates"]) == 1
    gone = client.delete(f"/identities/ruby/templates/{first}")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_template")


def test_galleries_are_listed_searched_and_deleted_separately(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED), gallery="staff")
    assert identify(client, picture(RED)).json()["decision"] == "unknown"
    assert identify(client, picture(RED), gallery="staff").json()["identity"] == "ruby"
    listed = {each["gallery"]: each["templates"] for each in client.get("/galleries").json()["galleries"]}
    assert listed == {"default": 0, "staff": 1}
    assert client.delete("/galleries/staff").json()["identities"] == ["ruby"]
    assert identify(client, picture(RED), gallery="staff").status_code == 404


def test_a_name_with_spaces_and_accents_is_accepted(client: TestClient) -> None:
    enroll(client, " Zoë van der Berg ", picture(RED))
    assert client.get("/identities/Zoë van der Berg").json()["identity"] == "Zoë van der Berg"


def test_name_and_metadata_of_an_identity_can_be_changed(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED), metadata='{"badge": 1}')
    enroll(client, "azure", picture(BLUE))
    edited = client.patch("/identities/ruby", json={"identity": "scarlet"})
    assert (edited.status_code, edited.json()["identity"], edited.json()["metadata"]) == (200, "scarlet", {"badge": 1})
    assert identify(client, picture(REDDISH)).json()["identity"] == "scarlet"
    assert client.patch("/identities/scarlet", json={"metadata": {}}).json()["metadata"] == {}
    taken = client.patch("/identities/scarlet", json={"identity": "azure"})
    assert (taken.status_code, taken.json()["code"]) == (409, "identity_exists")
    for wrong in ({}, {"identity": "a/b"}, {"name": "x"}, {"metadata": {"x": "y" * 20_000}}):
        refused = client.patch("/identities/scarlet", json=wrong)
        assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")
    assert client.patch("/identities/ruby", json={"identity": "x"}).json()["code"] == "unknown_identity"


def test_two_identities_of_one_person_can_be_merged(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    enroll(client, "scarlet", picture(REDDISH))
    assert identify(client, picture(RED)).json()["decision"] == "ambiguous"
    merged = client.post("/identities/scarlet/merge", json={"into": "ruby"})
    assert (merged.status_code, len(merged.json()["templates"])) == (200, 2)
    assert identify(client, picture(RED)).json()["identity"] == "ruby"
    itself = client.post("/identities/ruby/merge", json={"into": "ruby"})
    assert (itself.status_code, itself.json()["errors"][0]["field"]) == (400, "into")
    assert client.post("/identities/ruby/merge", json={"into": "eve"}).json()["code"] == "unknown_identity"


def test_an_enrollment_repeated_with_its_idempotency_key_is_done_once(client: TestClient) -> None:
    def send(key: str, **other: str) -> Response:
        fields = {"identity": "ruby", **other}
        headers = {"Idempotency-Key": key}
        answer: Response = client.post("/enroll", files={"image": picture(RED)}, data=fields, headers=headers)
        return answer

    first, second = send("one"), send("one")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["template_id"] == second.json()["template_id"]
    other = send("one", if_exists="add")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert send("two").json()["code"] == "identity_exists"
    assert send("").json()["code"] == "malformed_request"
    assert len(client.get("/identities/ruby").json()["templates"]) == 1


def test_an_enrollment_may_expire_and_name_its_consent(client: TestClient) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
    enroll(client, "ruby", picture(RED), expires_at=soon, consent_ref="form 117")
    enroll(client, "azure", picture(BLUE), expires_at="2999-01-01T00:00:00+02:00")
    (template,) = client.get("/identities/ruby").json()["templates"]
    assert template["consent_ref"] == "form 117"
    assert datetime.fromisoformat(template["expires_at"]) == datetime.fromisoformat(soon)
    time.sleep(0.6)
    found = identify(client, picture(REDDISH)).json()
    assert (found["decision"], found["gallery_size"]) == ("unknown", 1)
    assert client.get("/identities/azure").json()["templates"][0]["expires_at"] == "2998-12-31T22:00:00Z"


@pytest.mark.parametrize(
    "wrong",
    [
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"expires_at": "tomorrow"},
        {"expires_at": "32503680000"},
        {"consent_ref": ""},
        {"consent_ref": "a\nb"},
        {"consent_ref": "x" * 201},
    ],
)
def test_an_expiry_in_the_past_or_a_consent_that_is_no_line_is_refused(
    client: TestClient, wrong: dict[str, str]
) -> None:
    refused = enroll(client, "ruby", picture(RED), **wrong)
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")
    assert refused.json()["errors"][0]["field"] == next(iter(wrong))
