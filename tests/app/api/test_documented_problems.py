"""Each route answers every problem that it documents, and none that it does not."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.api.key_ring import KeyRing
from app.api.problems import STATUS
from app.callers import Caller
from app.errors import GalleryUnavailable
from app.gallery.rejection import MAX_REJECTIONS
from app.settings import Settings
from model.runtime.torchscript import BundleError
from tests.support.asgi import Answer, StalledBody, WholeBody, ask
from tests.support.fakes import BLUE, RED, UNRECOGNIZABLE, encoded, picture
from tests.support.liveness import FakeJudge
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
    described = app.openapi()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            fields = frozenset[str]()
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"][JSON]["schema"]["$ref"].rpartition("/")[2]
                fields = frozenset(described["components"]["schemas"][schema]["properties"])
            codes = {
                int(status): set(re.findall(r"`(\w+)`", response["description"]))
                for status, response in operation["responses"].items()
                if status != "default"  # OF_NO_ROUTE
            }
            found.append(Route(method.upper(), path, fields, codes))
    return found


class KeyOfNoUse(KeyRing):
    """Knows every caller, and lets them do nothing."""

    def caller(self, authorization: bytes) -> Caller:
        return Caller("useless", frozenset())


class UnreadKeys(KeyRing):
    """Could not read the store's keys for too long."""

    def caller(self, authorization: bytes) -> Caller:
        raise GalleryUnavailable(stored=False)


class BrokenService:
    """Raises at whatever a route asks of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("secret")


class HangingStore:
    """Never answers, but says that it works."""

    def for_caller(self, caller: Caller) -> "HangingStore":
        return self

    def __getattr__(self, name: str) -> Any:
        return forever

    async def problem(self) -> None:
        return None


async def forever(*arguments: Any, **options: Any) -> None:
    await asyncio.Event().wait()


async def break_service(app: Any) -> None:
    app.state.service, app.state.metrics = BrokenService(), BrokenService()


async def hang(app: Any) -> None:
    service = app.state.service
    service.gallery, service.encode, service.detect = HangingStore(), forever, forever


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
    by_name: bool = False  # verify an identity instead of a second photo
    expired: bool = False  # all who are enrolled
    rejections: int = 1  # of ada
    twice: bool = False  # the second answer counts, to a request with other fields
    needs: frozenset[str] = frozenset()  # a route without one of these fields, or parts of its path, cannot be provoked


def refuse_to_load() -> FakeJudge:
    raise BundleError("liveness.pt cannot be read as a bundle.")


IMAGES = frozenset({"image", "image1"})
PROVOCATIONS: dict[str, Provocation] = {
    "malformed_request": Provocation(query="x=%00"),
    "empty_image": Provocation(fields=photos(b""), needs=IMAGES),
    "corrupt_image": Provocation(fields=photos(JPEG[: len(JPEG) // 2]), needs=IMAGES),
    "unauthorized": Provocation({"api_keys": "a-key-of-sixteen!"}, headers={"authorization": "Bearer another"}),
    "forbidden": Provocation({"keys": KeyOfNoUse()}),
    "foreign_request": Provocation(headers={"origin": "https://example.com"}),
    "unknown_gallery": Provocation(
        query="gallery=nowhere", path={"gallery": "nowhere"}, fields={"gallery": "nowhere"}, by_name=True
    ),
    "unknown_identity": Provocation(
        path={"identity": "nobody"},
        fields={"identity": "nobody"},
        by_name=True,
        needs=frozenset({"{identity}", "identity"}),
    ),
    "unknown_template": Provocation(path={"template_id": "none"}, needs=frozenset({"{template_id}"})),
    "unknown_rejection": Provocation(path={"rejection_id": "none"}, needs=frozenset({"{rejection_id}"})),
    "request_timeout": Provocation({"upload_s": 0.1, "deadline_s": 0.1}, hang, body=StalledBody),
    "identity_exists": Provocation(fields={"identity": "grace"}, needs=frozenset({"identity"})),
    "encoder_mismatch": Provocation({"encoder_id": "f" * 64}, by_name=True),
    "templates_expired": Provocation(expired=True, by_name=True),
    "too_many_rejections": Provocation(rejections=MAX_REJECTIONS, needs=frozenset({"embedding"})),
    "image_too_large": Provocation(headers={"content_length": "400000000"}, body=StalledBody),
    "request_too_large": Provocation(headers={"content_length": "400000000"}, body=StalledBody),
    "unsupported_image": Provocation(fields=photos(b"Dear Sir or Madam"), needs=IMAGES),
    "no_face_found": Provocation(fields=photos(picture((0, 0, 0))), needs=IMAGES),
    "photo_too_expensive": Provocation(fields=photos(many_scans(3000)), needs=IMAGES),
    "several_faces": Provocation(fields=photos(picture(RED, (80, 40))) | {"face_selection": "single"}, needs=IMAGES),
    "unrecognizable_face": Provocation(fields=photos(picture(UNRECOGNIZABLE)), needs=IMAGES),
    "presentation_attack": Provocation({"liveness": "require"}, needs=IMAGES),
    "liveness_unavailable": Provocation({"liveness": "require", "load_judge": refuse_to_load}, needs=IMAGES),
    "idempotency_key_reused": Provocation(headers={"idempotency_key": "one"}, twice=True, needs=IMAGES),
    "low_quality": Provocation(fields={"min_quality": 0.9}, needs=frozenset({"min_quality"})),
    "target_unsupported": Provocation(
        fields={"target_fmr": 1e-9, "target_fpir": 1e-9}, needs=frozenset({"target_fmr", "target_fpir"})
    ),
    "overloaded": Provocation({"threads": 1, "max_waiting": 0}),
    "rate_limited": Provocation({"rate_limits": "1/hour"}, use_up_the_rate),
    "internal_error": Provocation(spoil=break_service),
    "not_ready": Provocation({"not_ready": ("the network computes other vectors",)}),
    "gallery_unavailable": Provocation({"keys": UnreadKeys()}),
    "deadline_exceeded": Provocation({"deadline_s": 0.1}, hang),
}


@asynccontextmanager
async def running(folder: Path, **given: Any) -> AsyncIterator[Any]:
    options = {name: given.pop(name) for name in ("encoder_id", "not_ready", "load_judge", "keys") if name in given}
    app = fake_app(Settings(gallery_url=f"sqlite:///{folder / 'gallery.db'}", **given), **options)
    async with app.router.lifespan_context(app):
        yield app


async def send(app: Any, route: Route, provocation: Provocation, stored: dict[str, str]) -> Answer | None:
    """Sends a request that is valid but for the provocation. Returns None if the route has nothing to provoke."""
    if provocation.needs and not any(each in route.fields or each in route.path for each in provocation.needs):
        return None
    names = {"identity": "ada", "gallery": "default"} | stored | provocation.path
    target = route.path.format(**names) + (f"?{provocation.query}" if provocation.query else "")
    fields = {name: value for name, value in (VALID | provocation.fields).items() if name in route.fields}
    if "image2" in route.fields:
        fields.pop("image2" if provocation.by_name else "identity")
    if "identity" not in provocation.fields and "identity" in fields:
        if "metadata" not in route.fields:
            fields["identity"] = "ada"  # somebody who is enrolled
        elif "{identity}" in route.path:
            del fields["identity"]  # a change of metadata alone
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


async def set_the_scene(app: Any, provocation: Provocation) -> dict[str, str]:
    """Enrolls ada and grace, and leaves nobody else. Returns the ids of ada's template and of a rejection."""
    for gallery in ("default", "nowhere"):
        await ask(app, "DELETE", f"/galleries/{gallery}")
    for name in ("grace", "ada"):
        fields = {"identity": name, "image": text(picture(RED))}
        if provocation.expired:
            fields["expires_at"] = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
        enrolled = await create(app, "/enroll", fields)
    for number in range(provocation.rejections):
        vector = [1 / 3, 2 / 3, -(2 / 3) - number * 1e-6]
        face = {"identity": "ada", "embedding": vector, "encoder_id": enrolled["model"]["encoder_id"]}
        rejected = await create(app, "/reject", face)
    if provocation.expired:
        await asyncio.sleep(0.5)
    return {"template_id": enrolled["template_id"], "rejection_id": rejected["rejection_id"]}


async def create(app: Any, path: str, fields: dict[str, Any]) -> dict[str, Any]:
    answer = await ask(app, "POST", path, WholeBody(json.dumps(fields).encode()), content_type=JSON)
    assert answer.status == 201
    created: dict[str, Any] = json.loads(answer.body)
    return created


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
        stored = await set_the_scene(plain, provocation)
        for route in routes_of(app):
            answer = await send(app, route, provocation, stored)
            if answer is not None and answer.status < 300 and route.method != "GET":
                stored = await set_the_scene(plain, provocation)
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
            answer = await ask(app, "PUT", path.format(identity="ada", template_id="t", rejection_id="r", gallery="g"))
            assert (path, answer.status, answer.code) == (path, 405, "method_not_allowed")
            assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == allowed
        for path in ("/", "/page/main.js", "/docs/assets/swagger-ui.css"):
            answer = await ask(app, "POST", path)
            assert (path, answer.code, answer.headers["allow"]) == (path, "method_not_allowed", "GET, HEAD")
        for path in ("/nowhere", "/identities/", "/identities//", "/verify/", "/v1/verify/", "/v1/"):
            assert (await ask(app, "GET", path)).code == "not_found"
