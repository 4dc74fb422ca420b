"""The field `liveness` of the routes that take photos. The fake judge takes a blue picture for live, a red one not."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from model.runtime.torchscript import BundleError
from tests.support.fakes import BLUE, RED, picture
from tests.support.liveness import FakeJudge
from tests.support.service import Start, enroll, identify, verify

Send = Callable[..., Any]


def detect(client: TestClient, image: bytes, **fields: Any) -> Any:
    return client.post("/detect", files={"image": image}, data=fields)


def verify_with_live(client: TestClient, image: bytes, **fields: Any) -> Any:
    return verify(client, picture(BLUE), image, **fields)


def enroll_ada(client: TestClient, image: bytes, **fields: Any) -> Any:
    return enroll(client, "ada", image, **fields)


ROUTES: list[Send] = [verify_with_live, enroll_ada, identify, detect]


def refuse_to_load() -> FakeJudge:
    raise BundleError("liveness.pt cannot be read as a bundle. Get the file again.")


def last_face(answer: dict[str, Any]) -> Any:
    return answer["face"] if "face" in answer else answer["faces"][-1]


@pytest.mark.parametrize("send", ROUTES)
def test_without_liveness_nothing_is_loaded_and_nothing_is_said(send: Send, start: Start) -> None:
    answer = send(start(load_judge=refuse_to_load), picture(RED))
    assert answer.is_success
    assert last_face(answer.json())["liveness"] is None
    assert "liveness" not in answer.json()["timings_ms"]


@pytest.mark.parametrize("send", ROUTES)
@pytest.mark.parametrize(("colour", "decision"), [(RED, "attack"), (BLUE, "live")])
def test_report_says_what_was_judged(
    send: Send, colour: tuple[int, int, int], decision: str, client: TestClient
) -> None:
    answer = send(client, picture(colour), liveness="report")
    assert answer.is_success
    judged = last_face(answer.json())["liveness"]
    assert (judged["decision"], judged["threshold"]) == (decision, 0.5)
    assert judged["score"] == pytest.approx(colour[2] / 255, abs=0.01)
    assert answer.json()["timings_ms"]["liveness"] >= 0


@pytest.mark.parametrize("send", ROUTES)
def test_require_refuses_an_attack_and_lets_a_live_face_pass(send: Send, client: TestClient) -> None:
    refused = send(client, picture(RED), liveness="require")
    assert (refused.status_code, refused.json()["code"]) == (422, "presentation_attack")
    assert refused.json()["field"] == ("image2" if send is verify_with_live else "image")
    assert "with the camera" in refused.json()["detail"]
    assert send(client, picture(BLUE), liveness="require").is_success


def test_an_attack_is_not_enrolled(client: TestClient) -> None:
    enroll(client, "ada", picture(RED), liveness="require")
    assert client.get("/identities").json()["identities"] == []


def test_each_of_several_faces_is_judged(client: TestClient) -> None:
    faces = detect(client, picture(BLUE, (128, 64)), liveness="report").json()["faces"]
    assert [face["liveness"]["decision"] for face in faces] == ["live", "live"]


def test_a_photo_without_a_face_has_nothing_to_judge(client: TestClient) -> None:
    answer = detect(client, picture((0, 0, 0)), liveness="require")
    assert answer.is_success
    assert answer.json()["faces"] == []


@pytest.mark.parametrize("send", ROUTES)
@pytest.mark.parametrize("mode", ["report", "require"])
def test_missing_networks_are_an_error_and_never_a_live_face(send: Send, mode: str, start: Start) -> None:
    answer = send(start(load_judge=refuse_to_load), picture(BLUE), liveness=mode)
    assert (answer.status_code, answer.json()["code"]) == (503, "liveness_unavailable")
    assert "Get the file again" in answer.json()["detail"]


@pytest.mark.parametrize("asked", [{}, {"liveness": "off"}, {"liveness": "report"}])
def test_a_request_cannot_ask_for_less_than_the_operator_demands(asked: dict[str, str], start: Start) -> None:
    refused = identify(start(liveness="require"), picture(RED), **asked)
    assert refused.json()["code"] == "presentation_attack"


def test_another_mode_is_refused(client: TestClient) -> None:
    refused = detect(client, picture(BLUE), liveness="maybe")
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")


def test_everybody_on_a_photo_is_judged(client: TestClient) -> None:
    reported = identify(client, picture(BLUE, (160, 64)), faces="all", liveness="report").json()
    assert [each["face"]["liveness"]["decision"] for each in reported["faces"]] == ["live", "live"]
    refused = identify(client, picture(RED, (160, 64)), faces="all", liveness="require")
    assert (refused.status_code, refused.json()["code"]) == (422, "presentation_attack")


def test_one_attack_among_several_photos_enrolls_nobody(client: TestClient) -> None:
    files = [("images", ("0.png", picture(BLUE))), ("images", ("1.png", picture(RED)))]
    refused = client.post("/enroll", files=files, data={"identity": "ada", "liveness": "require"})
    assert (refused.json()["code"], refused.json()["field"]) == ("presentation_attack", "images.1")
    assert client.get("/identities").json()["identities"] == []


def test_an_embedding_shows_nothing_to_judge(client: TestClient, start: Start) -> None:
    embedding = client.post("/embed", files={"image": picture(BLUE)}).json()
    body = {"embedding": embedding["embedding"], "encoder_id": embedding["model"]["encoder_id"]}
    assert client.post("/identify", json={**body, "liveness": "report"}).json()["code"] == "malformed_request"
    refused = start(liveness="require").post("/identify", json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")
