"""POST /verify with an identity instead of a second photo."""

import pytest
from fastapi.testclient import TestClient

from tests.support.fakes import BLUE, RED, REDDISH, UNRECOGNIZABLE, picture
from tests.support.problems import check_problem
from tests.support.service import Start, enroll, verify_identity


def test_a_photo_is_compared_with_an_enrolled_person(client: TestClient) -> None:
    template = enroll(client, "ruby", picture(RED)).json()["template_id"]
    enroll(client, "azure", picture(BLUE))
    same = verify_identity(client, picture(REDDISH), "ruby").json()
    assert (same["verified"], same["threshold"], same["target_met"], same["rejected"]) == (True, 0.7, True, False)
    assert (same["identity"], same["gallery"], same["template_id"]) == ("ruby", "default", template)
    assert (same["templates"], same["expected_fmr"]) == (1, 0.01)
    assert len(same["faces"]) == 1
    assert "search" in same["timings_ms"]
    other = verify_identity(client, picture(BLUE), "ruby").json()
    assert (other["verified"], other["template_id"]) == (False, template)


def test_the_best_of_several_templates_counts_and_the_threshold_rises_with_their_number(client: TestClient) -> None:
    for colour in (BLUE, RED, (40, 40, 210)):
        enroll(client, "ruby", picture(colour), if_exists="add")
    answer = verify_identity(client, picture(REDDISH), "ruby").json()
    assert (answer["verified"], answer["templates"], answer["threshold"]) == (True, 3, 0.9)
    assert answer["expected_fmr"] == pytest.approx(1 - 0.999**3)
    one = client.post("/verify", files={"image1": picture(RED), "image2": picture(REDDISH)}).json()
    odds = [each["probability"] / (1 - each["probability"]) for each in (one, answer)]
    assert odds[0] / odds[1] == pytest.approx(3, rel=0.01)


def test_a_target_that_so_many_templates_cannot_keep_is_refused_if_explicit(client: TestClient) -> None:
    for number in range(12):
        enroll(client, "ruby", picture((250, 20 * number, 100)), if_exists="add")
    answer = verify_identity(client, picture(RED), "ruby").json()
    assert (answer["target_met"], answer["threshold"]) == (False, 0.9)
    assert "target_not_met" in [each["code"] for each in answer["warnings"]]
    check_problem(verify_identity(client, picture(RED), "ruby", target_fmr=0.001), 422, "target_unsupported")
    assert verify_identity(client, picture(RED), "ruby", target_fmr=0.1).json()["target_met"]


def test_who_is_not_enrolled_cannot_be_verified(start: Start) -> None:
    client = start()
    check_problem(verify_identity(client, picture(RED), "ruby"), 404, "unknown_identity")
    check_problem(verify_identity(client, picture(RED), "ruby", gallery="staff"), 404, "unknown_gallery")
    enroll(client, "ruby", picture(RED), gallery="staff")
    check_problem(verify_identity(client, picture(RED), "ruby"), 404, "unknown_identity")
    assert verify_identity(client, picture(RED), "ruby", gallery="staff").json()["verified"]
    other = start(encoder_id="f" * 64)
    check_problem(verify_identity(other, picture(RED), "ruby", gallery="staff"), 409, "encoder_mismatch")


def test_an_unrecognizable_face_is_refused(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    problem = check_problem(verify_identity(client, picture(UNRECOGNIZABLE), "ruby"), 422, "unrecognizable_face")
    assert problem["field"] == "image1"


@pytest.mark.parametrize(
    "fields", [{}, {"image2": "x", "identity": "ruby"}, {"image2": "x", "gallery": "staff"}, {"identity": "a/b"}]
)
def test_either_a_photo_or_an_identity_is_needed(client: TestClient, fields: dict[str, str]) -> None:
    files = {"image1": picture(RED), **({"image2": picture(RED)} if "image2" in fields else {})}
    data = {name: value for name, value in fields.items() if name != "image2"}
    check_problem(client.post("/verify", files=files, data=data), 400, "malformed_request")
