"""POST /identify: everybody on a photo, embeddings, and what an answer says of its error rates."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.verification import identification
from tests.support.fakes import BLUE, GREEN, RED, REDDISH, encoded, picture
from tests.support.problems import check_problem
from tests.support.service import Start, enroll, identify


def group(*colours: tuple[int, int, int]) -> bytes:
    """A photo of two people: FakeDetector sees two faces side by side."""
    image = Image.new("RGB", (160, 64))
    for number, colour in enumerate(colours):
        image.paste(colour, (80 * number, 0, 80 * number + 80, 64))
    return encoded(image)


def test_everybody_on_a_photo_is_identified(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    enroll(client, "azure", picture(BLUE))
    answer = identify(client, group(REDDISH, GREEN), faces="all").json()
    first, second = answer["faces"]
    assert (first["decision"], first["identity"]) == ("match", "ruby")
    assert (second["decision"], second["identity"]) == ("unknown", None)
    assert first["face"]["box"] != second["face"]["box"]
    assert [len(each["candidates"]) for each in answer["faces"]] == [2, 2]
    assert first["expected_fpir"] == answer["expected_fpir"]
    assert first["operating_point"] == answer["operating_point"]
    # Beside the list, the answer is about the selected face, as without it.
    alone = identify(client, group(REDDISH, GREEN)).json()
    assert alone["faces"] == []
    unlike = {"faces", "timings_ms"}
    assert {name: value for name, value in answer.items() if name not in unlike} == {
        name: value for name, value in alone.items() if name not in unlike
    }


def test_the_number_of_faces_is_bounded_and_the_answer_says_so(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identification, "MAX_FACES", 2)
    assert len(identify(client, group(RED, BLUE), faces="all").json()["faces"]) == 2
    monkeypatch.setattr("tests.support.fakes.FakeDetector.detect", many_faces)
    answer = identify(client, group(RED, BLUE), faces="all").json()
    assert len(answer["faces"]) == 2
    assert "more_faces" in [each["code"] for each in answer["warnings"]]
    boxes = [each["face"]["box"] for each in answer["faces"]]
    assert [right - left for left, _, right, _ in boxes] == [40, 30]


def many_faces(detector: Any, image: Any, reduced_by: int = 1) -> Any:
    return [detector._face(10.0, 0.0, width, 64.0, 0.9) for width in (20.0, 40.0, 30.0)]


def test_a_photo_without_a_face_is_refused_and_an_unknown_choice_too(client: TestClient) -> None:
    check_problem(identify(client, picture((0, 0, 0)), faces="all"), 422, "no_face_found")
    check_problem(identify(client, picture(RED), faces="some"), 400, "malformed_request")
    check_problem(identify(client, group(RED, BLUE), faces="all", face_selection="single"), 422, "several_faces")


def test_an_embedding_is_searched_like_its_photo(client: TestClient) -> None:
    enroll(client, "ruby", picture(RED))
    probe = client.post("/embed", files={"image": picture(REDDISH)}).json()
    fields = {"embedding": probe["embedding"], "encoder_id": probe["model"]["encoder_id"]}
    by_vector = client.post("/identify", json=fields).json()
    by_photo = identify(client, picture(REDDISH)).json()
    assert by_vector["face"] is None
    assert by_vector["candidates"][0]["similarity"] == pytest.approx(by_photo["candidates"][0]["similarity"])
    for name in ("decision", "identity", "threshold", "expected_fpir", "operating_point"):
        assert by_vector[name] == by_photo[name]
    as_form = {"embedding": json.dumps(fields["embedding"]), "encoder_id": fields["encoder_id"]}
    assert client.post("/identify", files={"top_k": (None, "1")}, data=as_form).json()["identity"] == "ruby"


ENCODER = {"encoder_id": "e" * 64}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"embedding": [1, 0, 0]}, "together"),
        ({**ENCODER}, "either"),
        ({**ENCODER, "embedding": [1, 0]}, "2 numbers; embeddings of this encoder have 3"),
        ({**ENCODER, "embedding": [1, 1, 0]}, "length 1"),
        ({**ENCODER, "embedding": [0, 0, 0]}, "length 1"),
        ({**ENCODER, "embedding": []}, "embedding"),
        ({**ENCODER, "embedding": [1e300, 0, 0]}, "embedding"),
        ({**ENCODER, "embedding": "[1, 0"}, "embedding"),
        ({**ENCODER, "embedding": [0.0001] * 5000}, "embedding"),
        ({**ENCODER, "embedding": [1, 0, 0], "image": ""}, "either"),
        ({**ENCODER, "embedding": [1, 0, 0], "faces": "all"}, "needs a photo"),
    ],
    ids=range(11),
)
def test_what_is_no_embedding_is_refused(client: TestClient, fields: dict[str, Any], words: str) -> None:
    check_problem(client.post("/identify", json=fields), 400, "malformed_request", words)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_of_an_embedding_are_finite(client: TestClient, number: str) -> None:
    body = f'{{"encoder_id": "{"e" * 64}", "embedding": [{number}, 0, 0]}}'
    answer = client.post("/identify", content=body, headers={"content-type": "application/json"})
    check_problem(answer, 400, "malformed_request")


def test_an_embedding_of_another_encoder_is_a_conflict(client: TestClient) -> None:
    fields = {"embedding": [1, 0, 0], "encoder_id": "f" * 64}
    for route, more in (("/identify", {}), ("/reject", {"identity": "ruby"})):
        check_problem(client.post(route, json={**fields, **more}), 409, "encoder_mismatch", "/embed")


def test_a_search_says_what_it_misses_and_how_large_a_gallery_the_target_bears(start: Start) -> None:
    client = start()
    enroll(client, "ruby", picture(RED))
    answer = identify(client, picture(RED)).json()
    assert (answer["operating_point"]["fmr"], answer["operating_point"]["fnmr"]) == (0.01, 0.1)
    assert answer["largest_gallery"] == 10  # 1 - 0.999^10 < 0.01 < 1 - 0.999^11
    assert identify(client, picture(RED), target_fpir=0.1).json()["largest_gallery"] == 105
