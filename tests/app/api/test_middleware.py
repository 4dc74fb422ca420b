import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.api.middleware import ClientDisconnected, ClientDisconnectMiddleware

pytestmark = pytest.mark.anyio
SCOPE: dict[str, Any] = {"type": "http", "headers": []}
WITH_BODY: dict[str, Any] = {"type": "http", "headers": [(b"content-length", b"2")]}
BODY = [
    {"type": "http.request", "body": b"a", "more_body": True},
    {"type": "http.request", "body": b"b", "more_body": False},
]


class Client:
    """Sends a body, and disconnects when `disconnected` is set."""

    def __init__(self) -> None:
        self.unsent, self.disconnected, self.received = list(BODY), asyncio.Event(), list[Message]()

    async def receive(self) -> Message:
        if self.unsent:
            return self.unsent.pop(0)
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.received.append(message)


async def test_a_request_is_forwarded_and_answered() -> None:
    client, messages = Client(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        messages.extend([await receive(), await receive()])
        await send({"type": "http.response.start"})

    await ClientDisconnectMiddleware(app)(SCOPE, client.receive, client.send)
    assert messages == BODY
    assert client.received == [{"type": "http.response.start"}]


async def test_a_request_is_cancelled_when_its_client_disconnects() -> None:
    client, cancelled = Client(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        try:
            await asyncio.sleep(10)
        finally:
            cancelled.append(True)

    task = asyncio.create_task(ClientDisconnectMiddleware(app)(SCOPE, client.receive, client.send))
    await asyncio.sleep(0.05)
    assert not cancelled
    client.disconnected.set()
    with pytest.raises(ClientDisconnected):
        await asyncio.wait_for(task, 1)
    assert cancelled


async def test_the_body_is_not_read_ahead() -> None:
    client = Client()
    client.unsent = BODY[:1] * 100

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.05)

    await ClientDisconnectMiddleware(app)(SCOPE, client.receive, client.send)
    assert len(client.unsent) >= 97


async def test_nothing_of_a_body_is_read_before_the_application_asks_for_it() -> None:
    client = Client()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.05)
        assert client.unsent == BODY
        await receive()

    await ClientDisconnectMiddleware(app)(WITH_BODY, client.receive, client.send)


async def test_errors_of_the_application_propagate() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    client = Client()
    with pytest.raises(ZeroDivisionError):
        await ClientDisconnectMiddleware(app)(SCOPE, client.receive, client.send)
