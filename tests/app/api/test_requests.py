import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.api.requests import CallerGone, Departures

pytestmark = pytest.mark.anyio
SCOPE: dict[str, Any] = {"type": "http"}
BODY = [
    {"type": "http.request", "body": b"a", "more_body": True},
    {"type": "http.request", "body": b"b", "more_body": False},
]


class Caller:
    """Sends a body, and goes when it is told to."""

    def __init__(self) -> None:
        self.todo, self.gone, self.got = list(BODY), asyncio.Event(), list[Message]()

    async def receive(self) -> Message:
        if self.todo:
            return self.todo.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.got.append(message)


async def test_a_request_is_passed_on_and_answered() -> None:
    caller, seen = Caller(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([await receive(), await receive()])
        await send({"type": "http.response.start"})

    await Departures(app)(SCOPE, caller.receive, caller.send)
    assert seen == BODY
    assert caller.got == [{"type": "http.response.start"}]


async def test_a_request_whose_caller_goes_is_cancelled() -> None:
    caller, ended = Caller(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        try:
            await asyncio.sleep(10)
        finally:
            ended.append(True)

    task = asyncio.create_task(Departures(app)(SCOPE, caller.receive, caller.send))
    await asyncio.sleep(0.05)
    assert not ended
    caller.gone.set()
    with pytest.raises(CallerGone):
        await asyncio.wait_for(task, 1)
    assert ended


async def test_no_more_of_a_body_is_taken_than_is_asked_for() -> None:
    caller = Caller()
    caller.todo = BODY[:1] * 100

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.05)

    await Departures(app)(SCOPE, caller.receive, caller.send)
    assert len(caller.todo) >= 97


async def test_what_the_application_raises_comes_out() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    caller = Caller()
    with pytest.raises(ZeroDivisionError):
        await Departures(app)(SCOPE, caller.receive, caller.send)
