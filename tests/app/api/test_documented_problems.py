"""Each route answers every problem that it documents, and none that it does not."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.api.problems import STATUS
from app.gallery.base import GalleryError
from app.gallery.guarded import GuardedGallery
from app.settings import Settings
from tests.support.asgi import Answer, StalledBody, WholeBody, ask
from tests.support.fakes import BLUE, RED, UNRECOGNIZABLE, encoded, picture
from tests.support.pictures import many_scans, two_colours
from tests.support.service import fake_app

pytestmark = pytest.mark.anyio
KEY = {"authorization": "Bearer a-key-of-sixteen!"}
JSON = "application/json"
# The answers to a path or a method that is no route.
OF_NO_ROUTE = {"not_found", "method_not_allowed"}


def text(photo: bytes) -> str:
    return base64.b64encode(photo).decode()


def photos(photo: bytes) -> dict[str, Any]:
    return {name: text(photo) for name in ("image", "image1", "image2")}


VALID = photos(picture(RED)) | {"identity": "carol", "metadata": {"a": 1}, "into": "grace"}
JPEG = encoded(two_colours(), "JPEG")


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    fields: frozenset[str]  # of its JSON body
    codes: dict[int, set[str]]  # documented ones by status

    @property
    def documented(self) -> set[str]:
        return set().union(*self.codes.values())


def routes_of(app: Any) -> list[Route]:
    found = []
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {"content": {JSON: {"schema": {"properties": {}}}}})
            fields = frozenset(body["content"][JSON]["schema"]["properties"])
            codes = {
                int(status): set(re.findall(r"`(\w+)`", response["description"]))
                for status, response in operation["responses"].items()
            }
            found.append(Route(method.upper(), path, fields, codes))
    return found


class Broken:
    """Stands for a service or a store whose every method raises the error."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        async def fail(*arguments: Any, **options: Any) -> None:
            raise self._error("secret")

        return fail


class BrokenService:
    """Raises at whatever a route asks of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("secret")


class HangingService:
    """Never answers, but for the model card, which is in memory."""

    def __getattr__(self, name: str) -> Any:
        async def hang(*arguments: Any, **options: Any) -> None:
            await asyncio.Event().wait()

        return self if name == "gallery" else hang

    def model_card(self) -> dict[str, Any]:
        return {}

    async def problem(self) -> None:
        return None


async def break_store(app: Any) -> None:
    app.state.service.gallery = GuardedGallery(Broken(GalleryError), max_calls=9, wait_s=1, deadline_s=9)


async def break_service(app: Any) -> None:
    app.state.service, app.state.metrics = BrokenService(), BrokenService()


async def hang(app: Any) -> None:
    app.state.service = HangingService()


async def use_up_the_rate(app: Any) -> None:
    await ask(app, "GET", "/galleries")


@dataclass(frozen=True)
class Provocation:
    """What brings about a problem: a service with `settings`, broken by `spoil`, and a request with these changes."""

    settings: dict[str, Any] = field(default_factory=dict)
    spoil: Callable[[Any], Any] | None = None
    fields: dict[str, Any] = field(default_factory=dict)  # those that a route has
    path: dict[str, str] = field(default_factory=dict)
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None  # instead of the fields
    twice: bool = False  # the second answer counts, to a request with other fields
    needs: frozenset[str] = frozenset()  # a route without one of these fields, or parts of its path, cannot be provoked


IMAGES = frozenset({"image", "image1"})
PROVOCATIONS: dict[str, Provocation] = {
    "malformed_request": Provocation(query="x=%00"),
    "empty_image": Provocation(fields=photos(b""), needs=IMAGES),
    "corrupt_image": Provocation(fields=photos(JPEG[: len(JPEG) // 2]), needs=IMAGES),
    "unauthorized": Provocation({"api_keys": "a-key-of-sixteen!"}, headers={"authorization": "Bearer another"}),
    "foreign_request": Provocation(headers={"origin": "https://example.com"}),
    "unknown_gallery": Provocation(query="gallery=nowhere", path={"gallery": "nowhere"}, fields={"gallery": "nowhere"}),
    "unknown_identity": Provocation(path={"identity": "nobody"}, needs=frozenset({"{identity}"})),
    "unknown_template": Provocation(path={"template_id": "none"}, needs=frozenset({"{template_id}"})),
    "request_timeout": Provocation({"deadline_s": 0.1}, hang, body=StalledBody),
    "identity_exists": Provocation(fields={"identity": "grace"}, needs=frozenset({"identity"})),
    "encoder_mismatch": Provocation({"encoder_id": "f" * 64}),
    "image_too_large": Provocation(headers={"content_length": "400000000"}, body=StalledBody),
    "request_too_large": Provocation(headers={"content_length": "400000000"}, body=StalledBody),
    "unsupported_image": Provocation(fields=photos(b"Dear Sir or Madam"), needs=IMAGES),
    "no_face_found": Provocation(fields=photos(picture((0, 0, 0))), needs=IMAGES),
    "photo_too_expensive": Provocation(fields=photos(many_scans(3000)), needs=IMAGES),
    "several_faces": Provocation(fields=photos(picture(RED, (80, 40))) | {"face_selection": "single"}, needs=IMAGES),
    "unrecognizable_face": Provocation(fields=photos(picture(UNRECOGNIZABLE)), needs=IMAGES),
    "idempotency_key_reused": Provocation(headers={"idempotency_key": "one"}, twice=True, needs=IMAGES),
    "low_quality": Provocation(fields={"min_quality": 0.9}, needs=frozenset({"min_quality"})),
    "target_unsupported": Provocation(
        fields={"target_fmr": 1e-9, "target_fpir": 1e-9}, needs=frozenset({"target_fmr", "target_fpir"})
    ),
    "overloaded": Provocation({"threads": 1, "max_waiting": 0}),
    "rate_limited": Provocation({"rate_limits": "1/hour"}, use_up_the_rate),
    "internal_error": Provocation(spoil=break_service),
    "not_ready": Provocation({"not_ready": ("the network computes other vectors",)}),
    "gallery_unavailable": Provocation(spoil=break_store),
    "deadline_exceeded": Provocation({"deadline_s": 0.1}, hang),
}


@asynccontextmanager
async def running(folder: Path, **given: Any) -> AsyncIterator[Any]:
    options = {name: given.pop(name) for name in ("encoder_id", "not_ready") if name in given}
    app = fake_app(Settings(gallery_url=f"sqlite:///{folder / 'gallery.db'}", **given), **options)
    async with app.router.lifespan_context(app):
        yield app


async def send(app: Any, route: Route, provocation: Provocation, template_id: str) -> Answer | None:
    """Sends a request that is valid but for the provocation. Returns None if the route has nothing to provoke."""
    if provocation.needs and not any(each in route.fields or each in route.path for each in provocation.needs):
        return None
    names = {"identity": "ada", "template_id": template_id, "gallery": "default"} | provocation.path
    target = route.path.format(**names) + (f"?{provocation.query}" if provocation.query else "")
    fields = {name: value for name, value in (VALID | provocation.fields).items() if name in route.fields}
    if route.path == "/identities/{identity}" and "identity" not in provocation.fields:
        fields.pop("identity", None)
    headers = {"content_type": JSON, **KEY, **provocation.headers}

    def body() -> Any:
        if provocation.body is not None:
            return provocation.body()
        return WholeBody(json.dumps(fields).encode()) if fields else None

    answer = await ask(app, route.method, target, body(), **headers)
    if provocation.twice:
        fields |= {name: value for name, value in photos(picture(BLUE)).items() if name in route.fields}
        answer = await ask(app, route.method, target, body(), **headers)
    return answer


async def set_the_scene(app: Any) -> str:
    """Enrolls ada and grace, and leaves nobody else. Returns the id of ada's template."""
    for gallery in ("default", "nowhere"):
        await ask(app, "DELETE", f"/galleries/{gallery}")
    for name in ("grace", "ada"):
        fields = {"identity": name, "image": text(picture(RED))}
        answer = await ask(app, "POST", "/enroll", WholeBody(json.dumps(fields).encode()), content_type=JSON)
        assert answer.status == 201
    template_id: str = json.loads(answer.body)["template_id"]
    return template_id


def problem_code(answer: Answer) -> str | None:
    return answer.code if answer.headers.get("content-type") == "application/problem+json" else None


def test_every_code_is_provoked() -> None:
    assert set(PROVOCATIONS) == set(STATUS) - OF_NO_ROUTE


@pytest.mark.parametrize("code", PROVOCATIONS)
async def test_a_problem_is_answered_where_it_is_documented_and_nowhere_else(code: str, tmp_path: Path) -> None:
    provocation = PROVOCATIONS[code]
    documented = 0
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(running(tmp_path))  # sets the scene in the same gallery
        app = await stack.enter_async_context(running(tmp_path, **provocation.settings))
        if provocation.spoil is not None:
            await provocation.spoil(app)
        held = None
        if code == "overloaded":
            held = asyncio.ensure_future(ask(app, "POST", "/embed", StalledBody(), content_type=JSON))
            await asyncio.sleep(0.05)
        template_id = await set_the_scene(plain)
        for route in routes_of(app):
            answer = await send(app, route, provocation, template_id)
            if answer is not None and answer.status < 300 and route.method != "GET":
                template_id = await set_the_scene(plain)
            where = f"{route.method} {route.path}"
            if code in route.documented:
                documented += 1
                assert answer is not None, f"nothing provokes {code} at {where}"
                assert (where, answer.status, problem_code(answer)) == (where, STATUS[code], code)
            elif answer is not None:
                found = problem_code(answer)
                assert found is None or found in route.codes.get(answer.status, ()), f"{where} answers {found}"
                assert answer.status in route.codes, f"{where} answers {answer.status}"
        if held is not None:
            held.cancel()
            await asyncio.wait((held,))
    assert documented


async def test_a_path_or_method_without_a_route_is_a_problem_that_names_the_methods(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        methods: dict[str, set[str]] = {}
        for route in routes_of(app):
            methods.setdefault(route.path, set()).add(route.method)
        for path, allowed in methods.items():
            answer = await ask(app, "PUT", path.format(identity="ada", template_id="t", gallery="g"))
            assert (path, answer.status, answer.code) == (path, 405, "method_not_allowed")
            assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == allowed
        for path in ("/nowhere", "/identities/", "/identities//", "/verify/"):
            assert (await ask(app, "GET", path)).code == "not_found"
