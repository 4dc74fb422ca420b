import email.utils
import time

import httpx
import pytest

from facetwin_client import ApiError, Facetwin, Overloaded, Retries
from tests.support.answers import problem


def refusal(retry_after: float | None = None, status: int = 429, code: str = "overloaded") -> ApiError:
    return ApiError(status, code, "", retry_after)


def test_the_wait_is_never_shorter_than_the_service_asks_for() -> None:
    waits = [Retries().wait_s(1, refusal(8.0), draw) for draw in (0.0, 0.5, 1.0)]
    assert waits == [8.0, 9.0, 10.0]


def test_without_a_time_the_waits_double_up_to_the_longest() -> None:
    retries = Retries(attempts=100, longest_wait_s=5.0)
    assert [retries.wait_s(failures, refusal(), 1.0) for failures in (1, 2, 3, 4, 5, 99)] == [0.5, 1, 2, 4, 5, 5]
    assert retries.wait_s(3, refusal(), 0.0) == 1.0


def test_a_wait_that_is_too_long_is_an_error_at_once() -> None:
    assert Retries(longest_wait_s=30).wait_s(1, refusal(31.0), 0.0) is None
    assert Retries(longest_wait_s=30).wait_s(1, refusal(30.0), 0.0) == 30.0


@pytest.mark.parametrize("error", [refusal(status=504), refusal(status=0), refusal(status=503, code="not_ready")])
def test_other_errors_are_not_sent_again(error: ApiError) -> None:
    assert Retries().wait_s(1, error, 0.0) is None
    assert Retries(statuses=frozenset({504})).wait_s(1, refusal(status=504), 0.0) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5.0),
        (
            email.utils.formatdate(time.time() + 1e6, usegmt=True),
            pytest.approx(1e6, abs=1e5),
        ),  # it was written when the tests were collected
        (email.utils.formatdate(0, usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
        ("5.5", None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str, expected: float | None) -> None:
    answer = problem(429, "overloaded", Retry_After=text)
    transport = httpx.MockTransport(lambda request: answer)
    with Facetwin("http://x", transport=transport, retries=Retries(1)) as client, pytest.raises(Overloaded) as refused:
        client.get_model()
    assert refused.value.retry_after == expected
