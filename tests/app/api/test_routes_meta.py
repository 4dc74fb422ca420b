import re

import pytest
from fastapi.testclient import TestClient

from tests.support.fakes import BLUE, RED, picture
from tests.support.service import Start


def test_the_model_card_is_served_as_json(client: TestClient) -> None:
    card = client.get("/model").json()
    assert card["encoder_id"] == "e" * 64
    assert [point["fmr"] for point in card["calibration"]["points"]] == [0.1, 0.01, 0.001]
    assert card["serving_detector"] == "fake-1"
    assert card["serving_on"]["instruction_set"] == "AVX2"
    assert card["serving_on"]["encoder"] == [
        {"shape": [1, 16, 16, 3], "form": "fused", "milliseconds": {"frozen": 2.0, "fused": 1.0}}
    ]


def test_the_docs_load_no_external_resources(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    for link in links:
        assert link.startswith("/")
        assert client.get(link).status_code == 200
    assert "//" not in re.sub(r"<!--.*?-->|// .*", "", page.text).replace("</", "")
    assert "5." in client.get("/docs/assets/swagger-ui-bundle.js").text[:2_000_000]


def test_openapi_documents_both_bodies(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in str(schema)
    for path in ("/verify", "/enroll", "/identify", "/embed", "/detect"):
        operation = schema["paths"][f"/v1{path}"]["post"]
        assert set(operation["requestBody"]["content"]) == {"multipart/form-data", "application/json"}
        assert {"400", "401", "413", "415", "429", "500", "503", "504"} <= set(operation["responses"])
    form = schema["components"]["schemas"]["VerifyForm"]
    assert form["properties"]["image1"]["format"] == "binary"
    assert form["required"] == ["image1"]


def test_a_valid_request_id_is_kept_and_an_invalid_one_replaced(client: TestClient) -> None:
    assert client.get("/healthz", headers={"x-request-id": "trace-7"}).headers["x-request-id"] == "trace-7"
    made = client.get("/healthz", headers={"x-request-id": "evil\tvalue"}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)


def sample(page: str, name: str) -> float:
    """The value of one line of the metrics."""
    (value,) = [line.rsplit(" ", 1)[1] for line in page.splitlines() if line.startswith(name + " ")]
    return float(value)


def test_metrics_count_requests_stages_batches_and_problems(client: TestClient) -> None:
    photos = {"image1": picture(RED), "image2": picture(BLUE)}
    for _ in range(3):
        assert client.post("/verify", files=photos).status_code == 200
    assert client.post("/embed", files={"image": picture((0, 0, 0))}).status_code == 422
    client.get("/identities/nobody")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    page = answer.text
    assert sample(page, 'facetwin_requests_total{method="POST",route="/verify",status="200"}') == 3
    assert sample(page, 'facetwin_request_seconds_count{route="/verify"}') == 3
    for stage in ("queue", "decode", "detect", "align", "encode"):
        assert sample(page, f'facetwin_stage_seconds_count{{stage="{stage}"}}') == 3
    assert sample(page, "facetwin_batch_faces_sum") == 6
    assert sample(page, 'facetwin_problems_total{code="no_face_found"}') == 1
    assert sample(page, "facetwin_requests_in_flight") == 0
    assert "nobody" not in page
    assert 'route="/identities/{identity}"' in page


def test_metrics_require_a_key(start: Start) -> None:
    client = start(api_keys="k" * 20)
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Bearer {'k' * 20}"}).status_code == 200


def test_the_server_timing_header_matches_the_timings_of_the_answer(client: TestClient) -> None:
    answer = client.post("/verify", files={"image1": picture(RED), "image2": picture(BLUE)})
    entries = dict(entry.split(";dur=") for entry in answer.headers["server-timing"].split(", "))
    assert {stage: float(taken) for stage, taken in entries.items()} == answer.json()["timings_ms"]
    assert "server-timing" not in client.get("/healthz").headers


@pytest.mark.parametrize("stripped", [True, False])
def test_the_service_works_behind_a_prefix(start: Start, stripped: bool) -> None:
    client = start(root_path="/faces", api_keys="k" * 20)
    prefix = "" if stripped else "/faces"
    assert client.get(f"{prefix}/healthz").status_code == 200
    assert client.get(f"{prefix}/identities").status_code == 401
    page = client.get(f"{prefix}/docs").text
    assert "/faces/docs/assets/swagger-ui-bundle.js" in page
    assert client.get(f"{prefix}/docs/assets/swagger-ui.css").status_code == 200
    assert client.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/faces"}]


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_the_trace_of_a_caller_is_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="facetwin")
    for header in (f"00-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", "00-ada-lovelace-01", ""):
        client.get("/healthz", headers={"traceparent": header})
    first, *others = [record.__dict__ for record in caplog.records if record.message == "request"]
    assert (first["trace_id"], first["parent_id"]) == (TRACE, SPAN)
    assert all("trace_id" not in each for each in others)
