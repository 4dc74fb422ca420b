"""The client that awaits, for asyncio."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from itertools import count
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

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


def _awaiting(build: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncFacetwin", P], Coroutine[Any, Any, T]]:
    async def method(self: "AsyncFacetwin", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._send(build(*args, **kwargs))

    return describe_as(build, method)


def _iterating(build: Callable[P, Call[Page[T]]]) -> Callable[Concatenate["AsyncFacetwin", P], AsyncIterator[T]]:
    def method(self: "AsyncFacetwin", /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self._iterate(build(*args, **kwargs))

    return describe_as(build, method)


class AsyncFacetwin:
    """A client of one service, as Facetwin, whose methods are awaited. Lists are read with `async for`."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: Retries = Retries(),  # noqa: B008  # frozen
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Without `url` and `api_key`, the client uses FACETWIN_URL, else http://127.0.0.1:8000, and FACETWIN_API_KEY.

        `timeout_s` limits each wait for the service, not the whole call. Raises Unreachable for what is no URL.
        """
        self._http = httpx.AsyncClient(**httpx_options(url, api_key, timeout_s), transport=transport)
        self._retries, self._sleep = retries, sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    verify = _awaiting(calls.verify)
    verify_identity = _awaiting(calls.verify_identity)
    enroll = _awaiting(calls.enroll)
    identify = _awaiting(calls.identify)
    identify_embedding = _awaiting(calls.identify_embedding)
    reject = _awaiting(calls.reject)
    reject_embedding = _awaiting(calls.reject_embedding)
    list_rejections = _awaiting(calls.list_rejections)
    delete_rejection = _awaiting(calls.delete_rejection)
    embed = _awaiting(calls.embed)
    detect = _awaiting(calls.detect)
    list_identities = _iterating(calls.list_identities)
    list_templates = _iterating(calls.list_templates)
    get_identity = _awaiting(calls.get_identity)
    edit_identity = _awaiting(calls.edit_identity)
    merge_identity = _awaiting(calls.merge_identity)
    delete_identity = _awaiting(calls.delete_identity)
    delete_template = _awaiting(calls.delete_template)
    list_galleries = _awaiting(calls.list_galleries)
    delete_gallery = _awaiting(calls.delete_gallery)
    get_model = _awaiting(calls.get_model)
    get_health = _awaiting(calls.get_health)

    async def _iterate(self, call: Call[Page[T]]) -> AsyncIterator[T]:
        while True:
            page = await self._send(call)
            for each in page.items:
                yield each
            if page.next_after is None:
                return
            call = call.after(page.next_after)

    async def _send(self, call: Call[T]) -> T:
        content = await asyncio.to_thread(call.encode)  # reads files
        for failures in count(1):
            try:
                response = await self._http.request(call.method, call.versioned_path, **content)
                return read_response(self._http.base_url, response, call)
            except httpx.HTTPError as error:
                raise no_answer(self._http.base_url, error, call) from error
            except ApiError as error:
                draw = random.random()  # noqa: S311
                wait_s = self._retries.wait_s(failures, error, draw) if call.repeatable else None
                if wait_s is None:
                    raise
            await self._sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")
