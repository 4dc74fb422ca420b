import base64
import json
import math

import pytest
from fastapi.testclient import TestClient

from tests.support.fakes import BLUE, GREEN, RED, REDDISH, FakeDetector, picture
from tests.support.service import Start, enroll, identify, verify


def test_verify_returns_decision_threshold_probability_and_error_rates(client: TestClient) -> None:
    same = verify(client, picture(RED), picture(REDDISH)).json()
    assert same["verified"] is True
    assert same["similarity"] >= same["threshold"] == 0.7
    assert same["distance"] == pytest.approx(math.sqrt(2 - 2 * same["similarity"]))
    assert same["probability"] > 0.5
    assert same["operating_point"]["fmr"] == 0.01
    assert same["operating_point"]["interval"] == [0.005, 0.02]
    assert same["operating_point"]["fnmr_interval"] == [0.05, 0.2]
    assert same["operating_point"]["fmr_worst_group"] is None  # this calibration has no groups
    assert same["warnings"] == []
    assert same["faces"][0]["quality"]["recognizability"] == pytest.approx(RED[0] / 255, abs=0.01)
    assert same["model"] == {"name": "fake", "version": "0", "encoder_id": "e" * 64}
    assert set(same["timings_ms"]) == {"decode", "detect", "align", "queue", "encode"}
    assert [face["faces_in_photo"] for face in same["faces"]] == [1, 1]
    other = verify(client, picture(RED), picture(BLUE)).json()
    assert other["verified"] is False
    assert other["probability"] < 0.5


def test_target_fmr_selects_another_operating_point(client: TestClient) -> None:
    answer = verify(client, picture(RED), picture(REDDISH), target_fmr=0.001).json()
    assert answer["threshold"] == 0.9


def test_json_with_base64_gives_the_same_result_as_multipart(client: TestClient) -> None:
    first, second = picture(RED), picture(REDDISH)
    encoded = {"image1": base64.b64encode(first).decode(), "image2": base64.b64encode(second).decode()}
    as_json = client.post("/verify", json={**encoded, "target_fmr": 0.001})
    as_form = verify(client, first, second, target_fmr=0.001)
    assert as_json.status_code == as_form.status_code == 200
    assert as_json.json() | {"timings_ms": {}} == as_form.json() | {"timings_ms": {}}


def test_a_data_url_is_accepted(client: TestClient) -> None:
    url = "data:image/png;base64," + base64.b64encode(picture(RED)).decode()
    assert client.post("/detect", json={"image": url}).status_code == 200


def test_a_person_enrolled_from_one_photo_is_identified_in_another(client: TestClient) -> None:
    enrolled = enroll(client, "ruby", picture(RED))
    assert enrolled.status_code == 201
    enroll(client, "azure", picture(BLUE))
    answer = identify(client, picture(REDDISH)).json()
    assert (answer["decision"], answer["identity"]) == ("match", "ruby")
    assert answer["candidates"][0]["template_id"] == enrolled.json()["template_id"]
    assert [each["above_threshold"] for each in answer["candidates"]] == [True, False]
    assert answer["gallery_size"] == 2
    assert answer["threshold"] == 0.9  # stricter than for a pair
    assert answer["expected_fpir"] == pytest.approx(1 - 0.999**2)
    assert answer["target_met"] is True


def test_a_person_who_is_not_enrolled_is_unknown(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    answer = identify(client, picture(GREEN)).json()
    assert (answer["decision"], answer["identity"]) == ("unknown", None)


def test_the_default_gallery_is_empty_at_first(client: TestClient) -> None:
    answer = identify(client, picture(RED)).json()
    assert (answer["decision"], answer["gallery_size"], answer["candidates"]) == ("unknown", 0, [])


def test_two_look_alikes_are_ambiguous_even_with_top_k_one(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    enroll(client, "rose", picture(REDDISH))
    answer = identify(client, picture(RED), top_k=1).json()
    assert (answer["decision"], answer["identity"]) == ("ambiguous", None)
    assert len(answer["candidates"]) == 1


def test_an_unattainable_fpir_is_reported_by_default_and_refused_if_explicit(client: TestClient) -> None:
    for number in range(12):
        enroll(client, f"p{number}", picture((250, 20 * number, 100)))
    assert identify(client, picture(RED)).json()["target_met"] is False
    refused = identify(client, picture(RED), target_fpir=0.001)
    assert (refused.status_code, refused.json()["code"]) == (422, "target_unsupported")


def test_enrollment_warns_of_collisions_and_outliers(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    collision = enroll(client, "rose", picture(REDDISH)).json()["warnings"]
    assert "collision" in [warning["code"] for warning in collision]
    assert "'ruby'" in next(each["message"] for each in collision if each["code"] == "collision")
    outlier = enroll(client, "ruby", picture(BLUE), if_exists="add").json()["warnings"]
    assert "outlier" in [warning["code"] for warning in outlier]


def test_enrollment_warns_of_low_quality_and_refuses_below_min_quality(client: TestClient) -> None:
    warned = enroll(client, "ruby", picture(RED)).json()
    assert warned["face"]["quality"]["reasons"]
    assert "low_quality" in [warning["code"] for warning in warned["warnings"]]
    refused = enroll(client, "rose", picture(RED), min_quality=0.9)
    assert (refused.status_code, refused.json()["code"]) == (422, "low_quality")
    assert client.get("/identities/rose").status_code == 404


def test_enrolling_an_existing_identity_needs_add_or_replace(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    conflict = enroll(client, "ruby", picture(REDDISH))
    assert (conflict.status_code, conflict.json()["code"]) == (409, "identity_exists")
    assert enroll(client, "ruby", picture(REDDISH), if_exists="add").status_code == 201
    assert len(client.get("/identities/ruby").json()["templates"]) == 2
    assert enroll(client, "ruby", picture(REDDISH), if_exists="replace").status_code == 201
    assert len(client.get("/identities/ruby").json()["templates"]) == 1


def test_metadata_is_returned_with_the_identity(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED), metadata=json.dumps({"badge": 17}))
    assert client.get("/identities/ruby").json()["metadata"] == {"badge": 17}


def test_templates_of_another_encoder_are_409_with_instructions(start: Start) -> None:
    enroll(start(), "ruby", picture(RED))
    other = start(encoder_id="f" * 64)
    for answer in (identify(other, picture(RED)), enroll(other, "rose", picture(BLUE))):
        assert (answer.status_code, answer.json()["code"]) == (409, "encoder_mismatch")
        assert "FACETWIN_BUNDLE" in answer.json()["detail"]


def test_replacing_the_last_template_of_another_encoder_is_allowed(start: Start) -> None:
    enroll(start(), "ruby", picture(RED))
    other = start(encoder_id="f" * 64)
    assert enroll(other, "ruby", picture(RED), if_exists="replace").status_code == 201
    assert identify(other, picture(REDDISH)).json()["identity"] == "ruby"


def test_templates_of_another_detector_give_a_warning(start: Start) -> None:
    enroll(start(), "ruby", picture(RED))
    answer = identify(start(detector=FakeDetector("fake-2")), picture(RED)).json()
    assert answer["decision"] == "match"
    assert [warning["code"] for warning in answer["warnings"]] == ["other_detector"]


def test_embed_returns_a_unit_vector_and_its_encoder_id(client: TestClient) -> None:
    answer = client.post("/embed", files={"image": picture(RED)}).json()
    assert sum(value**2 for value in answer["embedding"]) == pytest.approx(1, abs=1e-5)
    assert answer["model"]["encoder_id"] == "e" * 64


def test_detect_returns_every_face_or_an_empty_list(client: TestClient) -> None:
    two = client.post("/detect", files={"image": picture(RED, (80, 40))}).json()
    assert len(two["faces"]) == 2
    assert (two["width"], two["height"]) == (80, 40)
    assert two["faces"][0]["box"] == [0, 0, 40, 40]
    assert two["faces"][0]["pose"] == pytest.approx({"yaw": 0, "pitch": 0, "roll": 0}, abs=10)
    none = client.post("/detect", files={"image": picture((0, 0, 0))})
    assert (none.status_code, none.json()["faces"]) == (200, [])
