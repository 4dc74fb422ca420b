import re

from fastapi.testclient import TestClient

from tests.support.service import Start


def test_every_answer_forbids_browsers_to_guess_frame_or_keep_it(client: TestClient) -> None:
    for path, status in (("/identities", 200), ("/nowhere", 404), ("/docs", 200), ("/healthz", 200)):
        answer = client.get(path)
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "no-store" not in client.get("/docs/assets/swagger-ui.css").headers.get("cache-control", "")


def test_only_the_docs_may_run_scripts_and_none_from_elsewhere(client: TestClient) -> None:
    assert "script-src" not in client.get("/identities").headers["content-security-policy"]
    policy = client.get("/docs").headers["content-security-policy"]
    assert not re.search(r"https?:|\*", policy)


def test_docs_and_metrics_can_be_closed(start: Start) -> None:
    closed = start(docs=False, metrics=False)
    for path in ("/docs", "/openapi.json", "/docs/assets/swagger-ui.css", "/metrics"):
        assert closed.get(path).status_code == 404
    assert closed.get("/healthz").status_code == 200
