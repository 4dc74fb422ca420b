"""Without keys, a web page that the service did not send can do nothing, whatever name it uses."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.settings import Settings
from tests.support.fakes import RED, picture
from tests.support.problems import check_problem
from tests.support.service import Start

PAGE = "https://evil.example"


def enroll(client: TestClient, **headers: str) -> Any:
    return client.post("/enroll", files={"image": picture(RED)}, data={"identity": "eve"}, headers=headers)


@pytest.mark.parametrize(
    "origin",
    [PAGE, "null", "http://127.0.0.1:9000", "http://[", "https://127.0.0.1:8000.evil.example", "127.0.0.1"],
)
def test_a_foreign_page_can_enroll_nobody(client: TestClient, origin: str) -> None:
    check_problem(enroll(client, origin=origin), 403, "foreign_request", "origin")
    assert client.get("/identities").json()["identities"] == []


def test_the_services_own_pages_and_programs_may_call(client: TestClient) -> None:
    assert enroll(client, origin="http://127.0.0.1:8000").status_code == 201
    assert client.get("/identities").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[", "localhost.x"])
def test_a_name_that_somebody_pointed_at_this_machine_is_refused(client: TestClient, host: str) -> None:
    for path in ("/identities", "/docs", "/openapi.json", "/metrics"):
        check_problem(client.get(path, headers={"host": host}), 403, "foreign_request", "FACETWIN_ALLOWED_HOSTS")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:1", "127.8.9.1", "[::1]:80"])
def test_every_name_of_this_machine_is_known(client: TestClient, host: str) -> None:
    assert client.get("/identities", headers={"host": host}).status_code == 200


def test_a_name_and_an_origin_can_be_allowed(start: Start) -> None:
    client = start(allowed_hosts="faces.example", allowed_origins=PAGE)
    assert client.get("/identities", headers={"host": "faces.example:8000"}).status_code == 200
    answer = enroll(client, origin=PAGE)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (201, PAGE)
    preflight = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    assert client.options("/enroll", headers=preflight).status_code == 200
    assert client.options("/enroll", headers=preflight | {"origin": "https://x.example"}).status_code == 400
    refused = client.post("/detect", files={"image": b""}, headers={"origin": PAGE})
    assert refused.headers["access-control-allow-origin"] == PAGE  # so that the page can read the problem


def test_without_the_setting_no_page_is_told_that_it_may(client: TestClient) -> None:
    preflight = {"origin": "http://127.0.0.1:8000", "access-control-request-method": "DELETE"}
    for answer in (client.options("/identities/ada", headers=preflight), client.get("/model", headers=preflight)):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_with_keys_the_key_decides(start: Start) -> None:
    client = start(api_keys="a-key-of-sixteen!")
    headers = {"authorization": "Bearer a-key-of-sixteen!", "origin": PAGE, "host": "faces.example"}
    assert client.get("/identities", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["*", "example.com", "https://example.com/", "https://Example.com", "null"])
def test_an_origin_that_no_browser_sends_is_refused_at_start(origin: str) -> None:
    with pytest.raises(ValidationError, match="an origin looks like"):
        Settings(allowed_origins=origin)
