"""The client that blocks."""

import random
import time
from collections.abc import Callable, Iterator
from itertools import count
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import httpx

from facetwin_client import calls
from facetwin_client.answers import Page
from facetwin_client.call import Call
from facetwin_client.connection import httpx_options, no_answer, read_response
from facetwin_client.errors import ApiError
from facetwin_client.methods import describe_as
from facetwin_client.retries import Retries

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(build: Callable[P, Call[T]]) -> Callable[Concatenate["Facetwin", P], T]:
    def method(self: "Facetwin", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._send(build(*args, **kwargs))

    return describe_as(build, method)


def _iterating(build: Callable[P, Call[Page[T]]]) -> Callable[Concatenate["Facetwin", P], Iterator[T]]:
    def method(self: "Facetwin", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self._iterate(build(*args, **kwargs))

    return describe_as(build, method)


class Facetwin:
    """A client of one service. Close it, or use it as a context manager. Threads may share it.

    Its methods raise ApiError, and OSError for a photo that cannot be read.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: Retries = Retries(),  # noqa: B008  # frozen
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Without `url` and `api_key`, the client uses FACETWIN_URL, else http://127.0.0.1:8000, and FACETWIN_API_KEY.

        `timeout_s` limits each wait for the service, not the whole call. Raises Unreachable for what is no URL.
        """
        self._http = httpx.Client(**httpx_options(url, api_key, timeout_s), transport=transport)
        self._retries, self._sleep = retries, sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    verify = _blocking(calls.verify)
    verify_identity = _blocking(calls.verify_identity)
    enroll = _blocking(calls.enroll)
    identify = _blocking(calls.identify)
    identify_embedding = _blocking(calls.identify_embedding)
    reject = _blocking(calls.reject)
    reject_embedding = _blocking(calls.reject_embedding)
    list_rejections = _blocking(calls.list_rejections)
    delete_rejection = _blocking(calls.delete_rejection)
    embed = _blocking(calls.embed)
    detect = _blocking(calls.detect)
    list_identities = _iterating(calls.list_identities)
    list_templates = _iterating(calls.list_templates)
    get_identity = _blocking(calls.get_identity)
    edit_identity = _blocking(calls.edit_identity)
    merge_identity = _blocking(calls.merge_identity)
    delete_identity = _blocking(calls.delete_identity)
    delete_template = _blocking(calls.delete_template)
    list_galleries = _blocking(calls.list_galleries)
    delete_gallery = _blocking(calls.delete_gallery)
    get_model = _blocking(calls.get_model)
    get_health = _blocking(calls.get_health)

    def _iterate(self, call: Call[Page[T]]) -> Iterator[T]:
        while True:
            page = self._send(call)
            yield from page.items
            if page.next_after is None:
                return
            call = call.after(page.next_after)

    def _send(self, call: Call[T]) -> T:
        content = call.encode()
        for failures in count(1):
            try:
                response = self._http.request(call.method, call.versioned_path, **content)
                return read_response(self._http.base_url, response, call)
            except httpx.HTTPError as error:
                raise no_answer(self._http.base_url, error, call) from error
            except ApiError as error:
                draw = random.random()  # noqa: S311
                wait_s = self._retries.wait_s(failures, error, draw) if call.repeatable else None
                if wait_s is None:
                    raise
            self._sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")
