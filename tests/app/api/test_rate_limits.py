from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from limits import parse_many
from pydantic import ValidationError

from app.api.rate_limits import RateLimits
from app.errors import RateLimited
from app.settings import Settings
from tests.support.problems import check_problem
from tests.support.service import Start, fake_app

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


def test_without_keys_each_address_has_its_own_limit(tmp_path: Path) -> None:
    app = fake_app(Settings(gallery_url=f"sqlite:///{tmp_path / 'gallery.db'}", rate_limits="2/hour"))

    def ask_from(host: str) -> int:
        client = TestClient(app, "http://127.0.0.1:8000", client=(host, 5))
        status: int = client.get("/identities").status_code
        return status

    with TestClient(app):
        assert [ask_from("192.0.2.1") for _ in range(3)] == [200, 200, 429]
        assert [ask_from("192.0.2.2") for _ in range(3)] == [200, 200, 429]
        assert [ask_from(f"2001:db8::{number}") for number in range(3)] == [200, 200, 429]
        assert ask_from("2001:db8:0:1::1") == 200


def test_a_wait_of_retry_after_is_enough_and_no_second_less() -> None:
    now = 1_000_000.0
    limits = RateLimits(parse_many("10/minute"), clock=lambda: now)
    for number in range(400):
        try:
            limits.count("a")
        except RateLimited as refused:
            wait = refused.retry_after
            now += wait - 1.5 if wait > 1 else 0
            if wait > 2:
                with pytest.raises(RateLimited):
                    limits.count("a")
            now += 1.5 if wait > 1 else 1
            limits.count("a")
        now += number % 7


def test_no_sliding_minute_has_many_more_requests_than_the_limit() -> None:
    now, passed = 1_000_000.0, []
    limits = RateLimits(parse_many("10/minute"), clock=lambda: now)
    for _ in range(3_000):
        now += 0.1
        try:
            limits.count("a")
        except RateLimited:
            continue
        passed.append(now)
        assert sum(now - 60 < each for each in passed) <= 20  # the count assumes that requests came evenly
    assert 50 <= len(passed) <= 60  # in five minutes


def test_callers_without_number_take_no_memory_without_end_and_a_busy_one_is_not_forgotten() -> None:
    limits = RateLimits(parse_many("5/hour"), max_callers=100)
    for _ in range(5):
        limits.count("busy")
    for number in range(10_000):
        limits.count(f"caller {number}")
        if number % 50 == 0:
            with pytest.raises(RateLimited):
                limits.count("busy")
    assert len(limits) == 100


def test_without_the_setting_nothing_is_limited(client: TestClient) -> None:
    assert {client.get("/galleries").status_code for _ in range(30)} == {200}


@pytest.mark.parametrize("limit", ["many", "10", "10/fortnight", "-1/second"])
def test_a_limit_that_says_nothing_is_refused_at_start(limit: str) -> None:
    with pytest.raises(ValidationError, match="600/minute"):
        Settings(rate_limits=limit)
