"""Checks of answers that are problems (RFC 9457)."""

from typing import Any

from app.api.problems import STATUS


def check_problem(answer: Any, status: int, code: str, *words: str) -> dict[str, Any]:
    """Checks that the answer is this problem and returns it."""
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status == STATUS[code]
    assert problem["type"] == f"urn:facetwin:problem:{code}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    for word in words:
        assert word in problem["detail"]
    return problem
