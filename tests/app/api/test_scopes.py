"""Every route has scopes, and a key without them, or for another gallery, is refused before a byte of the body."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.api.scopes import NEEDED, Names, routes_without_needs
from app.api.version import VERSION
from app.callers import EVERY_SCOPE, Scope
from app.gallery.api_keys import ApiKey, generate_key, key_digest
from app.settings import Settings
from tests.support.asgi import Answer, EndlessBody, WholeBody, ask
from tests.support.fakes import RED, FakeDetector, picture
from tests.support.service import fake_app

pytestmark = pytest.mark.anyio
ADMIN = "an-admin-of-sixteen!"


class Detector(FakeDetector):
    """Counts the photos that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def detect(self, image: Any, reduced_by: int = 1) -> Any:
        self.seen += 1
        return super().detect(image, reduced_by)


@pytest.fixture
def detector() -> Detector:
    return Detector()


@pytest.fixture
async def app(tmp_path: Path, detector: Detector) -> AsyncIterator[Any]:
    settings = Settings(gallery_url=f"sqlite:///{tmp_path / 'gallery.db'}", api_keys=ADMIN)
    app = fake_app(settings, detector=detector)
    async with app.router.lifespan_context(app):
        yield app


async def make_key(app: Any, *scopes: Scope, galleries: frozenset[str] | None = None) -> str:
    """Stores a key, waits until the application knows it, and returns it."""
    key = generate_key()
    store = app.state.service.gallery._store
    name = f"key{len(await store.keys.list_all())}"
    digest = key_digest(key.encode()).hex()
    await store.keys.add(ApiKey(name, digest, frozenset(scopes), galleries, datetime.now(UTC)))
    for _ in range(100):
        if (await send(app, "GET", "/model", key)).status == 200:
            return key
        await asyncio.sleep(0.1)
    raise AssertionError("the key is not known after 10 s")


async def send(app: Any, method: str, path: str, key: str, body: Any = None, **headers: str) -> Answer:
    return await ask(app, method, path, body, authorization=f"Bearer {key}", **headers)


def filled(path: str, gallery: str = "g") -> str:
    return path.format(identity="ada", template_id="t", rejection_id="r", gallery=gallery)


def test_an_application_with_a_route_that_needs_nothing_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(NEEDED, ("GET", "/model"))
    with pytest.raises(ValueError, match="GET /model"):
        fake_app(Settings())


async def test_a_route_that_is_added_later_is_found_and_never_answers(app: Any) -> None:
    assert routes_without_needs(app) == []
    app.add_api_route("/later", lambda: "secret", methods=["GET"], include_in_schema=False)
    assert routes_without_needs(app) == ["GET /later"]
    answer = await send(app, "GET", "/later", ADMIN)
    assert answer.status == 500
    assert b"secret" not in answer.body


def test_the_table_says_where_each_route_names_its_gallery() -> None:
    schema = fake_app(Settings()).openapi()
    for (method, path), needs in NEEDED.items():
        operation = schema["paths"][f"{VERSION}{path}"][method.lower()]
        places = {each["in"] for each in operation.get("parameters", []) if each["name"] == "gallery"}
        content = operation.get("requestBody", {}).get("content", {})
        bodies = [schema["components"]["schemas"][each["schema"]["$ref"].split("/")[-1]] for each in content.values()]
        places |= {"body" for each in bodies if "gallery" in each["properties"]}
        expected = {Names.IN_PATH: {"path"}, Names.IN_QUERY: {"query"}, Names.IN_BODY: {"body"}}
        assert places == expected.get(needs.names, set()), path
        assert operation["security"] == [{"HTTPBearer": sorted(needs.scopes)}]


async def test_every_route_is_403_without_its_scopes_before_a_byte_of_the_body_is_read(app: Any) -> None:
    for scope in EVERY_SCOPE - {Scope.ADMIN}:
        key = await make_key(app, scope)
        for (method, path), needs in NEEDED.items():
            body = EndlessBody()
            if needs.scopes <= {scope}:
                if method in ("GET", "DELETE"):
                    assert (await send(app, method, filled(path), key)).status != 403, path
                continue
            for prefix in ("", VERSION):
                answer = await send(app, method, prefix + filled(path), key, body)
                assert (path, answer.status, answer.code, body.read) == (path, 403, "forbidden", 0)
            assert all(f"`{each}`".encode() in answer.body for each in needs.scopes)


async def test_an_admin_key_has_every_scope(app: Any) -> None:
    key = await make_key(app, Scope.ADMIN)
    for method, path in NEEDED:
        assert (await send(app, method, filled(path), key)).status not in (401, 403), path


async def test_a_key_for_one_gallery_is_403_for_others_before_a_byte_of_the_body_is_read(app: Any) -> None:
    key = await make_key(app, Scope.ADMIN, galleries=frozenset({"mine"}))
    for (method, path), needs in NEEDED.items():
        if needs.names not in (Names.IN_PATH, Names.IN_QUERY):
            continue
        queries = ["", "?gallery=other", "?gallery=mine&gallery=other", "?gallery=other&gallery=mine", "?gallery="]
        for query in queries if needs.names is Names.IN_QUERY else [""]:
            body = EndlessBody()
            answer = await send(app, method, filled(path, "other") + query, key, body)
            assert (path, query, answer.status, answer.code, body.read) == (path, query, 403, "forbidden", 0)
        allowed = filled(path, "mine") + "?gallery=mine"
        assert (await send(app, method, allowed, key)).status in (400, 404), path


FORM = "multipart/form-data; boundary=a"


def form(photo: bytes, field: str = "image", **fields: str) -> bytes:
    parts = [
        f'--a\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--a\r\nContent-Disposition: form-data; name="{field}"; filename="a.png"\r\n\r\n'
    return b"".join((*parts, head.encode(), photo, b"\r\n--a--\r\n"))


@pytest.mark.parametrize("path", [path for (_, path), needs in NEEDED.items() if needs.names is Names.IN_BODY])
async def test_a_gallery_in_the_body_is_checked_before_a_photo_is_looked_at(
    app: Any, detector: Detector, path: str
) -> None:
    key = await make_key(app, *EVERY_SCOPE, galleries=frozenset({"mine"}))
    photo, field = picture(RED), "image1" if path == "/verify" else "image"
    name = {} if path == "/identify" else {"identity": "ada"}
    for fields in ({}, {"gallery": "other"}):
        as_form = await send(app, "POST", path, key, WholeBody(form(photo, field, **name, **fields)), content_type=FORM)
        encoded = base64.b64encode(photo).decode()
        as_json = str({field: encoded, **name, **fields}).replace("'", '"').encode()
        as_json_answer = await send(app, "POST", path, key, WholeBody(as_json), content_type="application/json")
        for answer in (as_form, as_json_answer):
            assert (answer.status, answer.code) == (403, "forbidden")
    assert detector.seen == 0
    mine = WholeBody(form(photo, field, **name, gallery="mine"))
    assert (await send(app, "POST", path, key, mine, content_type=FORM)).status in (201, 404)
    assert detector.seen == 1


@pytest.mark.parametrize("path", ["/identify", "/reject"])
async def test_a_key_for_one_gallery_is_403_for_others_with_an_embedding_too(app: Any, path: str) -> None:
    key = await make_key(app, *EVERY_SCOPE, galleries=frozenset({"mine"}))
    embedded = json.loads(
        (await send(app, "POST", "/embed", ADMIN, WholeBody(form(picture(RED))), content_type=FORM)).body
    )
    fields = {"embedding": embedded["embedding"], "encoder_id": embedded["model"]["encoder_id"]}
    name = {} if path == "/identify" else {"identity": "ada"}
    for gallery, status in (("other", 403), ("mine", 404)):
        body = WholeBody(json.dumps({**fields, **name, "gallery": gallery}).encode())
        answer = await send(app, "POST", path, key, body, content_type="application/json")
        assert answer.status == status


async def test_photos_are_compared_by_a_key_for_one_gallery_as_by_any(app: Any) -> None:
    key = await make_key(app, Scope.VERIFY, galleries=frozenset({"mine"}))
    photo = base64.b64encode(picture(RED)).decode()
    body = WholeBody(json.dumps({"image1": photo, "image2": photo}).encode())
    assert (await send(app, "POST", "/verify", key, body, content_type="application/json")).status == 200


async def test_replacing_templates_needs_the_scope_delete_too(app: Any) -> None:
    content = form(picture(RED), identity="ada", if_exists="replace")
    key = await make_key(app, Scope.ENROLL)
    answer = await send(app, "POST", "/enroll", key, WholeBody(content), content_type=FORM)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert b"`delete`" in answer.body
    key = await make_key(app, Scope.ENROLL, Scope.DELETE)
    assert (await send(app, "POST", "/enroll", key, WholeBody(content), content_type=FORM)).status == 201


async def test_a_key_for_one_gallery_does_not_learn_of_others(app: Any) -> None:
    body = WholeBody(form(picture(RED), identity="ada", gallery="other"))
    await send(app, "POST", "/enroll", ADMIN, body, content_type=FORM)
    assert b"other" in (await send(app, "GET", "/galleries", ADMIN)).body
    key = await make_key(app, Scope.READ, galleries=frozenset({"mine"}))
    assert (await send(app, "GET", "/galleries", key)).body == b'{"galleries":[]}'
