"""Every route under /v1 and without it."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from app.api.routes import PHOTOS
from app.settings import Settings
from tests.support.asgi import Answer, EndlessBody, WholeBody, ask, every_route
from tests.support.service import Start, fake_app

pytestmark = pytest.mark.anyio
KEY = "k" * 20

OTHERS = (("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/nowhere"), ("PUT", "/verify"))
MakeApp = Callable[..., FastAPI]


def both_forms(app: FastAPI) -> list[tuple[str, str, str]]:
    """Method, and path without and with the version, of every route and of paths without one."""
    return [(method, path, f"/v1{path}") for method, path in (*every_route(app), *OTHERS)]


def same(first: Answer, second: Answer) -> bool:
    unlike = ("x-request-id", "server-timing", "content-length")
    headers = [{name: value for name, value in each.headers.items() if name not in unlike} for each in (first, second)]
    return (first.status, headers[0]) == (second.status, headers[1])


@pytest.fixture
def make_app(start: Start) -> MakeApp:
    def make(**settings: object) -> FastAPI:
        app = start(**settings).app
        assert isinstance(app, FastAPI)
        return app

    return make


async def test_every_route_answers_the_same_under_both_paths(make_app: MakeApp) -> None:
    app = make_app()
    for method, path, versioned in both_forms(app):
        body = {} if method in ("GET", "DELETE") else {"content_type": "application/json"}
        old, new = [await ask(app, method, each, WholeBody(b"{}"), **body) for each in (path, versioned)]
        assert same(old, new), (method, path)
        assert old.status != 404 or path == "/nowhere" or b"unknown_" in old.body, path


async def test_keys_are_needed_under_both_paths_alike(make_app: MakeApp) -> None:
    app = make_app(api_keys=KEY)
    refused = []
    for method, path, versioned in both_forms(app):
        old, new = [await ask(app, method, each) for each in (path, versioned)]
        assert same(old, new), (method, path)
        refused += [path] if old.status == 401 else []
    assert {"/verify", "/metrics", "/identities", "/nowhere"} <= set(refused)
    assert not {"/healthz", "/readyz", "/docs", "/openapi.json"} & set(refused)


async def test_bodies_are_bounded_under_both_paths_alike(make_app: MakeApp) -> None:
    app = make_app(max_image_bytes=100_000)
    for path in PHOTOS:
        read = []
        for form in (path, f"/v1{path}"):
            body = EndlessBody()
            assert (await ask(app, "POST", form, body, content_type="application/json")).status == 413
            read.append(body.read)
        assert read[0] == read[1]


async def test_rates_are_limited_under_both_paths_together(make_app: MakeApp) -> None:
    app = make_app(rate_limits="2/hour")
    statuses = [(await ask(app, "GET", path)).status for path in ("/v1/galleries", "/galleries", "/v1/galleries")]
    assert statuses == [200, 200, 429]
    assert (await ask(app, "GET", "/v1/healthz")).status == 200


async def test_a_version_stands_once_and_with_a_prefix(make_app: MakeApp) -> None:
    app = make_app(root_path="/faces")
    for path in ("/v1/galleries", "/faces/v1/galleries", "/faces/galleries", "/galleries"):
        assert (await ask(app, "GET", path)).status == 200, path
    for path in ("/v1", "/v1/", "/v1/v1/galleries", "/v2/galleries", "/v1galleries"):
        assert (await ask(app, "GET", path)).status == 404, path


def test_the_application_lists_no_route_of_its_own_under_a_version() -> None:
    app = fake_app(Settings())
    assert not [route for route in app.routes if getattr(route, "path", "").startswith("/v")]
