"""What the routes answer for faces that the encoder can hardly recognise, or not at all."""

from fastapi.testclient import TestClient

from tests.support.fakes import DOUBTFUL, RED, UNRECOGNIZABLE, picture
from tests.support.service import enroll, identify, verify


def test_a_comparison_with_an_unrecognizable_face_is_refused_and_names_the_photo(client: TestClient) -> None:
    answer = verify(client, picture(RED), picture(UNRECOGNIZABLE))
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["code"], problem["field"]) == ("unrecognizable_face", "image2")
    assert "Take another photo" in problem["detail"]


def test_two_doubtful_faces_are_compared_at_a_higher_threshold(client: TestClient) -> None:
    plain = verify(client, picture(RED), picture(RED)).json()
    doubtful = verify(client, picture(DOUBTFUL), picture(DOUBTFUL)).json()
    assert doubtful["threshold"] == plain["threshold"] + 0.15
    assert [notice["code"] for notice in doubtful["warnings"]] == ["hard_to_recognize"]
    assert doubtful["faces"][0]["quality"]["recognizability"] < 0.5


def test_an_unrecognizable_face_is_not_enrolled(client: TestClient) -> None:
    answer = enroll(client, "Ada", picture(UNRECOGNIZABLE))
    assert answer.status_code == 422
    assert answer.json()["code"] == "unrecognizable_face"
    assert client.get("/galleries/default/identities").status_code == 404  # no gallery was made


def test_a_doubtful_face_is_enrolled_with_a_warning(client: TestClient) -> None:
    answer = enroll(client, "Ada", picture(DOUBTFUL))
    assert answer.status_code == 201
    assert "hard_to_recognize" in [notice["code"] for notice in answer.json()["warnings"]]


def test_a_search_for_an_unrecognizable_face_names_nobody_and_says_why(client: TestClient) -> None:
    enroll(client, "Ada", picture(DOUBTFUL))
    answer = identify(client, picture(UNRECOGNIZABLE)).json()
    assert (answer["decision"], answer["identity"]) == ("unknown", None)
    assert [notice["code"] for notice in answer["warnings"]] == ["unrecognizable_face"]
    assert answer["candidates"][0]["identity"] == "Ada"  # the most similar, who does not pass
    assert not answer["candidates"][0]["above_threshold"]


def test_detection_does_not_judge_recognizability(client: TestClient) -> None:
    face = client.post("/detect", files={"image": picture(RED)}).json()["faces"][0]
    assert face["quality"]["recognizability"] is None
