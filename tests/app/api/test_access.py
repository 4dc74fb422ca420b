"""Without a key, nothing is read and nothing is answered but the few open paths."""

from typing import Any

import pytest

from app.settings import Settings
from tests.support.asgi import EndlessBody, ask, every_route
from tests.support.service import fake_app

pytestmark = pytest.mark.anyio
KEY = "a-key-of-sixteen!"
OPEN = {"/healthz", "/readyz", "/docs", "/openapi.json"}


@pytest.fixture
def app(tmp_path: Any) -> Any:
    return fake_app(Settings(gallery_url=f"sqlite:///{tmp_path / 'gallery.db'}", api_keys=KEY))


async def test_without_a_key_every_route_is_401_before_a_byte_of_the_body_is_read(app: Any) -> None:
    asked = 0
    for method, path in every_route(app):
        body = EndlessBody()
        answer = await ask(app, method, path, body)
        if path not in OPEN:
            assert (path, answer.status, answer.code, body.read) == (path, 401, "unauthorized", 0)
            asked += 1
    assert asked >= 12


@pytest.mark.parametrize("path", ["/nowhere", "/identities/", "//identities", "/docs/../identities", "/healthz/x"])
async def test_a_path_that_is_not_listed_as_open_is_closed(app: Any, path: str) -> None:
    assert (await ask(app, "GET", path)).status == 401
