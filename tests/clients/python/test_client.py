"""Both clients, with the answers of fakes."""

import asyncio
import inspect
import io
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import facetwin_client
from facetwin_client import (
    NO_RETRIES,
    ApiError,
    AsyncFacetwin,
    Conflict,
    Facetwin,
    InvalidRequest,
    NotAllowed,
    NotFacetwin,
    NotFound,
    Overloaded,
    PhotoRefused,
    Retries,
    Unavailable,
    Unreachable,
)
from tests.support.answers import DETECTION, ENROLLMENT, IDENTIFICATION, RECEIPT, Handler, identity, problem

Ask = Callable[..., Any]


class Asked:
    """A client of either kind, whose method is called by name. Records the waits."""

    def __init__(self, kind: str, handler: Handler, **options: Any) -> None:
        self.waits: list[float] = []
        self._kind, self._handler, self._options = kind, handler, options

    def __call__(self, method: str, *arguments: Any, **options: Any) -> Any:
        transport = httpx.MockTransport(self._handler)
        if self._kind == "sync":
            with Facetwin("http://x", transport=transport, sleep=self.waits.append, **self._options) as client:
                answer = getattr(client, method)(*arguments, **options)
                return list(answer) if isinstance(answer, Iterator) else answer
        return asyncio.run(self._await(transport, method, *arguments, **options))

    async def _await(self, transport: httpx.MockTransport, method: str, *arguments: Any, **options: Any) -> Any:
        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        async with AsyncFacetwin("http://x", transport=transport, sleep=sleep, **self._options) as client:
            answer = getattr(client, method)(*arguments, **options)
            return await answer if inspect.isawaitable(answer) else [each async for each in answer]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Asked]:
    """Makes a client of each kind."""
    return lambda handler, **options: Asked(request.param, handler, **options)


def answering(*answers: httpx.Response) -> tuple[Handler, list[httpx.Request]]:
    """Answers the first request with the first answer, and so on, the last one for ever."""
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        answer = answers[min(len(asked), len(answers)) - 1]
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    return handle, asked


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    def methods(client: type) -> dict[str, Any]:
        found = {name: method for name, method in vars(client).items() if not name.startswith("_")}
        return {name: (inspect.signature(method), method.__doc__) for name, method in found.items()}

    sync, awaited = methods(Facetwin), methods(AsyncFacetwin)
    del sync["close"], awaited["aclose"]
    assert sync == awaited
    assert {"verify", "enroll", "list_identities"} < set(sync)
    assert list(inspect.signature(Facetwin("http://x").verify).parameters)[:2] == ["image1", "image2"]


def test_photos_and_options_are_sent_as_a_form(ask: Ask) -> None:
    handle, asked = answering(httpx.Response(201, json=ENROLLMENT))
    answer = ask(handle)("enroll", "ada", b"photo", metadata={"team": "engines"}, min_quality=0.5, key="k1")
    assert (answer.identity, answer.warnings[0].code, answer.face.box) == ("ada", "collision", (1.0, 2.0, 3.0, 4.0))
    (request,) = asked
    body = request.content.decode()
    assert request.headers["Idempotency-Key"] == "k1"
    assert request.headers["User-Agent"].startswith("facetwin-client/")
    assert 'name="metadata"\r\n\r\n{"team": "engines"}' in body
    assert 'name="min_quality"\r\n\r\n0.5' in body
    assert 'name="gallery"' not in body  # None leaves the choice to the service
    assert body.count("photo") >= 1


def test_several_photos_are_one_enrollment(ask: Ask) -> None:
    templates = [{"template_id": name, "face": ENROLLMENT["face"]} for name in ("t", "u")]
    handle, asked = answering(httpx.Response(201, json={**ENROLLMENT, "templates": templates}))
    answer = ask(handle)("enroll", "ada", [b"first", b"second"])
    assert [each.template_id for each in answer.templates] == ["t", "u"]
    assert asked[0].content.count(b'name="images"; filename=') == 2
    assert b'name="image"' not in asked[0].content


def test_a_vector_is_sent_as_json(ask: Ask) -> None:
    handle, asked = answering(httpx.Response(200, json=IDENTIFICATION))
    answer = ask(handle)("identify_embedding", (0.6, 0.8), "e", top_k=3)
    assert (answer.decision, answer.face, answer.candidates[0].rejected) == ("unknown", None, True)
    assert json.loads(asked[0].content) == {"embedding": [0.6, 0.8], "encoder_id": "e", "top_k": 3}


@pytest.mark.parametrize(
    ("method", "arguments", "sent"),
    [
        ("verify_identity", [b"photo", "ada"], b'name="identity"\r\n\r\nada'),
        ("identify", [b"photo"], b'name="faces"\r\n\r\nall'),
        ("reject", ["ada", b"photo"], b'name="identity"\r\n\r\nada'),
    ],
)
def test_a_photo_and_a_name_are_sent_together(ask: Ask, method: str, arguments: list[Any], sent: bytes) -> None:
    handle, asked = answering(problem(404, "unknown_identity"))
    with pytest.raises(NotFound):
        ask(handle)(method, *arguments, **({"faces": "all"} if method == "identify" else {}))
    assert sent in asked[0].content


def test_rejections_and_templates_are_listed(ask: Ask) -> None:
    rejection = {"rejection_id": "r", "encoder_id": "e", "created_at": "2026-01-02T03:04:05Z"}
    handle, asked = answering(httpx.Response(200, json={"rejections": [rejection]}))
    assert ask(handle)("list_rejections", "ada")[0].rejection_id == "r"
    handle, asked = answering(httpx.Response(200, json={"templates": identity("ada")["templates"], "next_after": None}))
    assert [each.template_id for each in ask(handle)("list_templates", "ada", page_size=5)] == ["t"]
    assert asked[0].url.path == "/v1/identities/ada/templates"
    handle, asked = answering(httpx.Response(200, json={"identities": [], "next_after": None}))
    assert ask(handle)("list_identities", prefix="a") == []
    assert asked[0].url.params["prefix"] == "a"


def test_a_name_is_one_part_of_the_path(ask: Ask) -> None:
    handle, asked = answering(httpx.Response(200, json=RECEIPT))
    ask(handle)("delete_template", "ada / ü?", "t", gallery="a b")
    assert asked[0].url.raw_path == b"/v1/identities/ada%20%2F%20%C3%BC%3F/templates/t?gallery=a+b"


def test_a_list_is_read_page_by_page(ask: Ask) -> None:
    pages = [
        httpx.Response(200, json={"identities": [identity("ada"), identity("bob")], "next_after": "bob"}),
        httpx.Response(200, json={"identities": [identity("eve")], "next_after": None}),
    ]
    handle, asked = answering(*pages)
    assert [each.identity for each in ask(handle)("list_identities", "staff", page_size=2)] == ["ada", "bob", "eve"]
    assert [str(each.url.query, "ascii") for each in asked] == [
        "gallery=staff&limit=2",
        "gallery=staff&limit=2&after=bob",
    ]


@pytest.mark.parametrize(("status", "code"), [(429, "overloaded"), (503, "gallery_unavailable")])
def test_a_refused_read_is_sent_again_when_the_service_says(ask: Ask, status: int, code: str) -> None:
    refusal = problem(status, code, Retry_After="7")
    handle, asked = answering(refusal, refusal, httpx.Response(200, json=DETECTION))
    client = ask(handle)
    assert len(client("detect", b"photo").faces) == 1
    assert len(asked) == 3
    assert asked[0].content.split(b"\r\n")[1:-2] == asked[2].content.split(b"\r\n")[1:-2]
    assert all(7 <= wait <= 7 * 1.25 for wait in client.waits)


def test_a_photo_is_read_once_for_all_attempts(ask: Ask) -> None:
    handle, asked = answering(problem(429, "overloaded"), httpx.Response(200, json=DETECTION))
    ask(handle)("detect", io.BytesIO(b"photo of ada"))
    assert all(b"photo of ada" in each.content for each in asked)


def test_an_enrollment_is_sent_again_only_with_a_key(ask: Ask) -> None:
    refusal = problem(503, "gallery_unavailable", Retry_After="1")
    handle, asked = answering(refusal, httpx.Response(201, json=ENROLLMENT))
    with pytest.raises(Unavailable):
        ask(handle)("enroll", "ada", b"photo")
    assert len(asked) == 1
    handle, asked = answering(refusal, httpx.Response(201, json=ENROLLMENT))
    ask(handle)("enroll", "ada", b"photo", key="k1")
    assert [each.headers["Idempotency-Key"] for each in asked] == ["k1", "k1"]


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("delete_identity", ["ada"]),
        ("delete_template", ["ada", "t"]),
        ("delete_gallery", ["staff"]),
        ("merge_identity", ["ada", "bob"]),
        ("edit_identity", ["ada"]),
    ],
)
def test_a_change_is_never_sent_again(ask: Ask, method: str, arguments: list[str]) -> None:
    handle, asked = answering(problem(503, "gallery_unavailable", Retry_After="1"))
    with pytest.raises(Unavailable):
        ask(handle)(method, *arguments)
    assert len(asked) == 1


def test_the_attempts_are_limited(ask: Ask) -> None:
    handle, asked = answering(problem(429, "rate_limited", Retry_After="1"))
    with pytest.raises(Overloaded) as refused:
        ask(handle, retries=Retries(attempts=3))("get_model")
    assert len(asked) == 3
    assert refused.value.retry_after == 1
    with pytest.raises(Overloaded):
        ask(handle, retries=NO_RETRIES)("get_model")
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed_request", InvalidRequest),
        (400, "corrupt_image", PhotoRefused),
        (401, "unauthorized", NotAllowed),
        (403, "foreign_request", NotAllowed),
        (404, "unknown_identity", NotFound),
        (409, "identity_exists", Conflict),
        (422, "no_face_found", PhotoRefused),
        (422, "code_of_tomorrow", InvalidRequest),
        (429, "overloaded", Overloaded),
        (500, "internal_error", Unavailable),
        (504, "deadline_exceeded", Unavailable),
    ],
)
def test_a_problem_is_an_error_of_its_kind(ask: Ask, status: int, code: str, kind: type[ApiError]) -> None:
    handle, _ = answering(problem(status, code))
    with pytest.raises(kind) as refused:
        ask(handle, retries=NO_RETRIES)("get_model")
    error = refused.value
    assert type(error) is kind
    assert (error.status, error.code, error.detail, error.request_id) == (status, code, "Do this.", "r1")
    assert str(error) == f"Do this. ({code})"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(200, text="<html>"), "not a facetwin service: it answers 200"),
        (httpx.Response(301, headers={"Location": "https://x/"}), "refers to https://x/"),
        (httpx.Response(404, json={"detail": "Not Found"}), "not a facetwin service"),
        (httpx.Response(200, json={"name": "other"}), "cannot read: the answer lacks"),
        (httpx.Response(200, json=[1]), "cannot read: the answer is not an object"),
    ],
)
def test_a_server_that_is_not_facetwin_is_named(ask: Ask, answer: httpx.Response, message: str) -> None:
    handle, _ = answering(answer)
    with pytest.raises(NotFacetwin, match=message):
        ask(handle)("get_model")


def test_a_proxys_refusal_is_sent_again_too(ask: Ask) -> None:
    handle, asked = answering(httpx.Response(503, text="<html>"), httpx.Response(200, json=DETECTION))
    ask(handle)("detect", b"photo")
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (httpx.ConnectError("refused"), "unreachable", "No service answers at http://x: refused"),
        (httpx.ConnectTimeout("slow"), "unreachable", "No service answers at http://x"),
        (httpx.ReadTimeout("slow"), "timeout", "did not answer in time"),
        (httpx.RemoteProtocolError("closed"), "unreachable", "The connection to http://x broke: closed"),
    ],
)
def test_a_service_without_an_answer_is_named(ask: Ask, error: httpx.HTTPError, code: str, message: str) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(Unreachable, match=message) as refused:
        ask(handle)("get_model")
    assert (refused.value.status, refused.value.code) == (0, code)
    with pytest.raises(Unreachable) as unknown:
        ask(handle)("delete_identity", "ada")
    assert ("may or may not" in str(unknown.value)) == (
        not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    )


def test_a_service_that_is_not_ready_says_why(ask: Ask) -> None:
    handle, _ = answering(httpx.Response(503, json={"status": "not ready", "reasons": ["starting"]}))
    health = ask(handle)("get_health")
    assert (health.is_ready, health.reasons) == (False, ("starting",))


def test_the_address_and_the_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    handle, asked = answering(httpx.Response(200, json={"galleries": []}))
    monkeypatch.setenv("FACETWIN_URL", "http://ada:secret-word@faces.example:8080/prefix")
    monkeypatch.setenv("FACETWIN_API_KEY", " a-key-of-sixteen!\n")
    with Facetwin(transport=httpx.MockTransport(handle)) as client:
        assert client.list_galleries() == ()
    assert asked[0].url.path == "/prefix/v1/galleries"
    assert asked[0].headers["Authorization"] == "Bearer a-key-of-sixteen!"
    with Facetwin("http://y", "", transport=httpx.MockTransport(handle)) as client:
        client.list_galleries()
    assert asked[1].url.host == "y"
    assert "Authorization" not in asked[1].headers
    broken = httpx.MockTransport(lambda request: httpx.Response(200, text=""))
    with Facetwin(transport=broken) as client, pytest.raises(NotFacetwin) as refused:
        client.list_galleries()
    assert "secret-word" not in str(refused.value)


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://\x01", "http://", "http://x:99999999"])
def test_an_invalid_url_is_named(url: str) -> None:
    for client in (Facetwin, AsyncFacetwin):
        with pytest.raises(Unreachable, match="is not a URL"):
            client(url)


def test_a_key_that_no_header_can_have_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="character that no header can have") as refused:
        Facetwin("http://x", "a\nsecret")
    assert "secret" not in str(refused.value)


def test_every_public_name_exists() -> None:
    assert all(hasattr(facetwin_client, name) for name in facetwin_client.__all__)
    assert json.loads(json.dumps(facetwin_client.as_json(facetwin_client.Health(status="ready")))) == {
        "status": "ready",
        "reasons": [],
    }


def test_liveness_is_asked_for_and_read(ask: Ask) -> None:
    judged = {"score": 0.2, "threshold": 0.9, "decision": "attack"}
    handle, asked = answering(
        httpx.Response(201, json={**ENROLLMENT, "face": {**ENROLLMENT["face"], "liveness": judged}})
    )
    answer = ask(handle)("enroll", "ada", b"photo", liveness="report")
    assert b'name="liveness"\r\n\r\nreport' in asked[0].content
    assert (answer.face.liveness.decision, answer.face.liveness.score) == ("attack", 0.2)
    assert answer.face.liveness.threshold == 0.9
