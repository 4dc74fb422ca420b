"""Every route has a limit on its body, a place to take and a deadline, whatever reads the body."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.api.request_bounds import RequestBoundsMiddleware
from app.api.routes import PHOTOS
from app.body_limits import MAX_FIELDS_BYTES, MOST_PHOTOS, BodyLimits
from app.errors import DeadlineExceeded, Overloaded, RequestTimeout, RequestTooLarge
from app.inference.admission import Admission, seconds_left
from app.settings import Settings
from model.errors import ImageTooLarge
from tests.support.asgi import EndlessBody, StalledBody, WholeBody, ask, every_route
from tests.support.service import fake_app

pytestmark = pytest.mark.anyio
CHUNK = len(EndlessBody.chunk)
LIMITS = BodyLimits({"/photo": 1}, 1_000_000, 10_000_000)
JSON = "application/json"
PART = b'--a\r\nContent-Disposition: form-data; name="image1"; filename="a.jpg"\r\n\r\n'


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Any]:
    url = f"sqlite:///{folder / 'gallery.db'}"
    app = fake_app(Settings(gallery_url=url, max_image_bytes=100_000, max_waiting=0, threads=1, **settings))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Any]:
    async with running(tmp_path) as app:
        yield app


async def test_no_route_reads_more_than_its_limit(app: Any) -> None:
    largest = {"/verify": 2, "/enroll": 2, "/identify": 1, "/reject": 1, "/embed": 1, "/detect": 1}
    for method, path in every_route(app):
        for kind, start in ((JSON, b'{"image1": "'), ("multipart/form-data; boundary=a", PART)):
            body = EndlessBody(start)
            answer = await ask(app, method, path, body, content_type=kind)
            limit = MAX_FIELDS_BYTES + largest.get(path, 0) * 150_000
            assert body.read <= limit + 3 * CHUNK, path  # the chunk that is too much, and one read ahead
            if method in ("POST", "PATCH"):
                code = "image_too_large" if path in largest else "request_too_large"
                assert (path, kind, answer.status, answer.code) == (path, kind, 413, code)


async def test_a_declared_length_over_the_limit_is_refused_unread(app: Any) -> None:
    for method, path in every_route(app):
        body = EndlessBody()
        answer = await ask(app, method, path, body, content_type=JSON, content_length="400000000")
        assert (path, answer.status, body.read) == (path, 413, 0)


async def test_an_unknown_path_is_404_however_large_its_body_is(app: Any) -> None:
    for headers in ({"content_length": "400000000"}, {}):
        body = EndlessBody()
        answer = await ask(app, "POST", "/verfy", body, content_type=JSON, **headers)
        assert (answer.status, answer.code) == (404, "not_found")
        assert body.read <= CHUNK


async def test_a_body_that_does_not_arrive_is_408_in_time_on_every_route_that_reads_one(
    tmp_path: Path,
) -> None:
    read = 0
    async with running(tmp_path, upload_s=0.1) as app:
        for method, path in every_route(app):
            if method in ("POST", "PATCH"):
                answer = await ask(app, method, path, StalledBody(), content_type=JSON)
                assert (path, answer.status, answer.code) == (path, 408, "request_timeout")
                assert answer.headers["connection"] == "close"
                read += 1
    assert read >= 7


async def test_a_slow_body_takes_a_place(tmp_path: Path) -> None:
    async with running(tmp_path, upload_s=3) as app:
        slow = asyncio.create_task(ask(app, "POST", "/embed", StalledBody(), content_type=JSON))
        await asyncio.sleep(0.05)
        other = await ask(app, "GET", "/identities")
        assert (other.status, other.code) == (429, "overloaded")
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs/assets/swagger-ui.css"):
            assert (await ask(app, "GET", path)).status == 200
        assert (await slow).status == 408
        assert (await ask(app, "GET", "/identities")).status == 200


class Reader:
    """An application that reads its body to the end, hides every error and answers 200."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 200
        try:
            while (await receive()).get("more_body"):
                pass
        except Exception:
            status = 400
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


def bounded(
    app: Any = None, limits: BodyLimits = LIMITS, capacity: int = 9, deadline_s: float = 5.0, upload_s: float = 5.0
) -> Any:
    return RequestBoundsMiddleware(app or Reader(), Admission(capacity, deadline_s), limits, upload_s)


async def test_an_application_cannot_hide_that_its_body_was_too_large() -> None:
    with pytest.raises(RequestTooLarge, match="65,536 bytes"):
        await ask(bounded(), "POST", "/names", EndlessBody())
    with pytest.raises(ImageTooLarge, match="1,565,536 bytes"):
        await ask(bounded(), "POST", "/photo", EndlessBody())


async def test_settings_know_how_many_photos_a_request_has() -> None:
    assert max(PHOTOS.values()) == MOST_PHOTOS


async def test_a_body_of_exactly_the_limit_passes() -> None:
    assert (await ask(bounded(), "POST", "/names", WholeBody(bytes(MAX_FIELDS_BYTES)))).status == 200
    with pytest.raises(RequestTooLarge):
        await ask(bounded(), "POST", "/names", WholeBody(bytes(MAX_FIELDS_BYTES + 1)))


async def test_bodies_that_are_held_together_have_a_limit_which_falls_when_they_end() -> None:
    app = bounded(limits=BodyLimits({"/photo": 1}, 1_000_000, 1_500_000))
    body = WholeBody(bytes(1_000_000))

    async def stall() -> Message:
        return {**await body.receive(), "more_body": True}

    first = asyncio.create_task(ask(app, "POST", "/photo", type("Body", (), {"receive": staticmethod(stall)})))
    await asyncio.sleep(0.02)
    with pytest.raises(Overloaded):
        await ask(app, "POST", "/photo", WholeBody(bytes(1_000_000)))
    first.cancel()
    await asyncio.wait((first,))
    assert (await ask(app, "POST", "/photo", WholeBody(bytes(1_000_000)))).status == 200


async def test_late_answers_to_whole_bodies_are_deadlines_of_the_service() -> None:
    async def think(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(5)

    with pytest.raises(DeadlineExceeded):
        await ask(bounded(think, deadline_s=0.05), "POST", "/photo", WholeBody(b"x"))
    with pytest.raises(RequestTimeout, match=r"0\.05 s"):
        await ask(bounded(upload_s=0.05), "POST", "/photo", StalledBody())


class SlowBody:
    """Arrives in two halves, the second one late."""

    def __init__(self, seconds: float, content: bytes = b"whole") -> None:
        self.seconds, self.halves = seconds, [content[:2], content[2:]]

    async def receive(self) -> Message:
        if not self.halves:
            await asyncio.Event().wait()
        if len(self.halves) == 1:
            await asyncio.sleep(self.seconds)
        return {"type": "http.request", "body": self.halves.pop(0), "more_body": bool(self.halves)}


def works_for(seconds: float) -> Any:
    """An application that reads its body, then works, and then answers how much time it had left."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        left = seconds_left()
        await asyncio.sleep(seconds)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(left).encode()})

    return app


async def test_a_slow_upload_takes_nothing_from_the_time_for_the_work() -> None:
    slow = bounded(works_for(0.4), deadline_s=1.0, upload_s=9)
    answer = await ask(slow, "POST", "/photo", SlowBody(1.2))
    assert answer.status == 200
    assert float(answer.body) > 0.9


async def test_the_work_has_its_own_deadline_however_fast_or_slow_the_upload_was() -> None:
    for seconds in (0.0, 0.3):
        with pytest.raises(DeadlineExceeded, match=r"0\.2 s"):
            await ask(bounded(works_for(9), deadline_s=0.2), "POST", "/photo", SlowBody(seconds))


async def test_the_time_of_an_upload_is_counted_from_the_start_not_from_each_piece() -> None:
    class Trickle:
        async def receive(self) -> Message:
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b"x", "more_body": True}

    began = asyncio.get_running_loop().time()
    with pytest.raises(RequestTimeout):
        await ask(bounded(deadline_s=60, upload_s=0.3), "POST", "/photo", Trickle())
    assert asyncio.get_running_loop().time() - began < 10


async def test_a_body_that_nobody_reads_does_not_count_as_a_slow_one() -> None:
    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(9)

    with pytest.raises(DeadlineExceeded):
        await ask(bounded(work, deadline_s=0.1, upload_s=60), "GET", "/identities", StalledBody())
