"""What both clients do with httpx: where the service is, and what its answers mean."""

import email.utils
import os
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final, TypeVar

import httpx

from facetwin_client.call import Call
from facetwin_client.errors import ApiError, NotFacetwin, Unreachable, error_class
from facetwin_client.json_form import Unreadable

T = TypeVar("T")

DEFAULT_URL: Final = "http://127.0.0.1:8000"
URL_VARIABLE: Final = "FACETWIN_URL"
KEY_VARIABLE: Final = "FACETWIN_API_KEY"
CONNECT_S: Final = 10.0  # a service that does not even accept a connection within this time is not there


def httpx_options(url: str | None, api_key: str | None, timeout_s: float) -> dict[str, Any]:
    """Returns the options of httpx's clients. What is None comes from FACETWIN_URL and FACETWIN_API_KEY.

    Raises Unreachable for what is no URL, ValueError for a key that no header can have.
    """
    url = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    key = (os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key).strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("The API key has a character that no header can have. Copy it again.")
    try:
        base = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Unreachable(0, "unreachable", f"{url} is not a URL: {error}.") from error
    if base.scheme not in ("http", "https") or not base.host or (base.port or 0) > 65535:
        raise Unreachable(0, "unreachable", f"{url} is not a URL. A URL looks like {DEFAULT_URL}.")
    headers = {"User-Agent": f"facetwin-client/{version('facetwin-client')}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
        base = httpx.URL(shown(base))  # httpx would send a user name in it instead of the key
    timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
    return {"base_url": base, "headers": headers, "timeout": timeout}


def no_answer(base: httpx.URL, error: httpx.HTTPError, call: Call[Any]) -> Unreachable:
    """The error for a request that got no answer."""
    if not isinstance(error, httpx.TimeoutException) or isinstance(error, httpx.ConnectTimeout):
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(0, "unreachable", f"No service answers at {shown(base)}: {error}.")
        return Unreachable(0, "unreachable", f"The connection to {shown(base)} broke: {error}.{_outcome(call)}")
    return Unreachable(0, "timeout", f"{shown(base)} did not answer in time.{_outcome(call)}")


def read_response(base: httpx.URL, response: httpx.Response, call: Call[T]) -> T:
    """Returns the answer. Raises ApiError."""
    try:
        content: Any = response.json()
    except ValueError:
        content = None
    if (response.is_success or response.status_code in call.answers) and content is not None:
        try:
            return call.read(content)
        except Unreadable as error:
            detail = (
                f"{shown(base)} answers in a form that this client cannot read: {error}. Is it a facetwin service? "
                "If so, install the client of its version."
            )
            raise NotFacetwin(response.status_code, "not_facetwin", detail) from error
    raise _problem(base, response, content)


def shown(base: httpx.URL) -> str:
    """The address without a password."""
    return f"{base.scheme}://{base.netloc.decode()}{base.path}".rstrip("/")


def _problem(base: httpx.URL, response: httpx.Response, content: Any) -> ApiError:
    status, wait = response.status_code, _retry_after(response.headers)
    if isinstance(content, Mapping) and isinstance(content.get("code"), str):
        code, detail = content["code"], str(content.get("detail", ""))
        extra = (content.get("request_id"), content.get("field"), tuple(content.get("errors") or ()))
        return error_class(status, code)(status, code, detail, wait, *extra)
    if status in (429, 502, 503, 504):  # a proxy's, in front of the service
        return error_class(status, "")(status, "proxy_error", f"{shown(base)} answers {status}.", wait)
    detail = f"{shown(base)} is not a facetwin service: it answers {status}"
    if response.is_redirect:
        detail += f" and refers to {response.headers.get('Location', 'nowhere')}"
    return NotFacetwin(status, "not_facetwin", f"{detail}.")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from a number or a date; None for anything else."""
    text = headers.get("Retry-After", "")
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def _outcome(call: Call[Any]) -> str:
    return "" if call.repeatable else " The change may or may not have been stored: look before you send it again."
