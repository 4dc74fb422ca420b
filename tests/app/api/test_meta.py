import re

from fastapi.testclient import TestClient

from app.api.problems import STATUS


def test_the_model_card_is_served_as_json(client: TestClient) -> None:
    card = client.get("/model").json()
    assert card["encoder_id"] == "e" * 64
    assert [point["fmr"] for point in card["calibration"]["points"]] == [0.1, 0.01, 0.001]
    assert card["serving_detector"] == "fake-1"


def test_the_docs_load_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    for link in links:
        assert link.startswith("/")
        assert client.get(link).status_code == 200
    assert "//" not in re.sub(r"<!--.*?-->|// .*", "", page.text).replace("</", "")
    assert "5." in client.get("/docs/assets/swagger-ui-bundle.js").text[:2_000_000]


def test_openapi_documents_both_bodies_and_every_problem(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in str(schema)
    for path in ("/verify", "/enroll", "/identify", "/embed", "/detect"):
        operation = schema["paths"][path]["post"]
        assert set(operation["requestBody"]["content"]) == {"multipart/form-data", "application/json"}
        assert {"400", "401", "413", "415", "429", "500", "503", "504"} <= set(operation["responses"])
    form = schema["paths"]["/verify"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["image1"]["format"] == "binary"
    assert form["required"] == ["image1", "image2"]
    documented = set(
        re.findall(r"`(\w+)`", str([r["responses"] for p in schema["paths"].values() for r in p.values()]))
    )
    assert documented == set(STATUS) - {"not_found", "method_not_allowed"}


def test_a_request_id_is_kept_if_it_is_sane_and_made_if_not(client: TestClient) -> None:
    assert client.get("/healthz", headers={"x-request-id": "trace-7"}).headers["x-request-id"] == "trace-7"
    made = client.get("/healthz", headers={"x-request-id": "evil\tvalue"}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)
