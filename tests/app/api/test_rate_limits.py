from typing import Any

import pytest
from fastapi.testclient import TestClient
from limits import parse_many
from pydantic import ValidationError

from app.api.rate_limits import RateLimits
from app.errors import RateLimited
from app.settings import Settings
from tests.support.problems import check_problem
from tests.support.service import Start

FIRST, OTHER = "a-key-of-sixteen!", "b-key-of-sixteen!"


def ask(client: TestClient, key: str, path: str = "/identities") -> Any:
    return client.get(path, headers={"authorization": f"Bearer {key}"})


def test_each_key_has_its_own_limit(start: Start) -> None:
    client = start(api_keys=f"{FIRST},{OTHER}", rate_limits="3/hour")
    for _ in range(3):
        assert ask(client, FIRST).status_code == 200
    refused = client.get("/identities", headers={"authorization": f"Bearer {FIRST}"})
    check_problem(refused, 429, "rate_limited", "3 per 1 hour")
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert ask(client, OTHER).status_code == 200


def test_health_and_metrics_are_never_limited(start: Start) -> None:
    client = start(rate_limits="1/hour")
    for _ in range(3):
        for path in ("/healthz", "/readyz", "/metrics"):
            assert client.get(path).status_code == 200


def test_the_strictest_of_several_limits_holds_and_a_refused_request_does_not_count() -> None:
    limits = RateLimits(parse_many("2/second; 100/hour"))
    limits.count("a")
    limits.count("a")
    for _ in range(200):
        with pytest.raises(RateLimited, match="2 per 1 second"):
            limits.count("a")
    limits.count("b")


def test_without_the_setting_nothing_is_limited(client: TestClient) -> None:
    assert {client.get("/galleries").status_code for _ in range(30)} == {200}


@pytest.mark.parametrize("limit", ["many", "10", "10/fortnight", "-1/second"])
def test_a_limit_that_says_nothing_is_refused_at_start(limit: str) -> None:
    with pytest.raises(ValidationError, match="600/minute"):
        Settings(rate_limits=limit)
