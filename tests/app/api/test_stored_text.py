"""Names, metadata and keys that could not be read again are refused at the door, wherever they are sent."""

import base64

import pytest
from fastapi.testclient import TestClient

from tests.support.fakes import RED, picture
from tests.support.problems import check_problem

GOOD = picture(RED)
NESTED = "[" * 300 + "]" * 300
BAD_TEXT = [
    '{"a": NaN}',
    '{"a": Infinity}',
    '{"a": 1e999}',
    f'{{"a": {NESTED}}}',
    '{"a": "\\ud800"}',
    '{"\\udfff": 1}',
    '{"a": "\\u0000"}',
]


@pytest.mark.parametrize("metadata", BAD_TEXT, ids=range(len(BAD_TEXT)))
def test_metadata_that_could_not_be_read_again_is_refused_in_every_body(client: TestClient, metadata: str) -> None:
    photo, kind = base64.b64encode(GOOD).decode(), {"content-type": "application/json"}
    as_form = client.post("/enroll", files={"image": GOOD}, data={"identity": "ada", "metadata": metadata})
    as_json = client.post(
        "/enroll", content=f'{{"identity": "ada", "image": "{photo}", "metadata": {metadata}}}', headers=kind
    )
    edited = client.patch("/identities/ada", content=f'{{"metadata": {metadata}}}', headers=kind)
    for answer in (as_form, as_json, edited):
        check_problem(answer, 400, "malformed_request")
    assert client.get("/identities").json()["identities"] == []


BAD_NAMES = [".", "..", "a/b", "a\0b", "a\x9fb", "a\u2028b"]


@pytest.mark.parametrize("name", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_a_bad_name_is_refused_wherever_a_name_is_sent(client: TestClient, name: str) -> None:
    assert client.post("/enroll", files={"image": GOOD}, data={"identity": "ada"}).status_code == 201
    photo = base64.b64encode(GOOD).decode()
    for answer in (
        client.post("/enroll", files={"image": GOOD}, data={"identity": name}),
        client.post("/enroll", json={"identity": name, "image": photo}),
        client.patch("/identities/ada", json={"identity": name}),
        client.post("/identities/ada/merge", json={"into": name}),
        client.post("/enroll", files={"image": GOOD}, data={"identity": "x", "gallery": name}),
        client.get("/identities", params={"gallery": name}),
    ):
        check_problem(answer, 400, "malformed_request")


@pytest.mark.parametrize("encoded", ["%ff", "%c3", "a%00b", "%ed%a0%80", "%2e%2e", "%2e", "a%0ab", "a%E2%80%A8b"])
@pytest.mark.parametrize(
    "target", ["/identities/{}", "/identities/ada/templates/{}", "/galleries/{}", "/identities?after={}"]
)
def test_a_path_or_query_that_is_no_text_is_refused_before_the_gallery(
    client: TestClient, encoded: str, target: str
) -> None:
    if "%2e" in encoded and ("after" in target or "templates" in target):
        return  # neither is a name
    method = "DELETE" if "templates" in target or "galleries" in target else "GET"
    check_problem(client.request(method, target.format(encoded)), 400, "malformed_request")


def test_a_lone_surrogate_is_refused_in_every_member_of_a_body(client: TestClient) -> None:
    photo, kind = base64.b64encode(GOOD).decode(), {"content-type": "application/json"}
    for member in ('"identity": "\\ud800"', '"gallery": "\\ud800"', '"\\ud800": 1', '"if_exists": "\\ud800"'):
        content = f'{{"image": "{photo}", "identity": "ada", {member}}}'
        check_problem(client.post("/enroll", content=content, headers=kind), 400, "malformed_request")


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "utf-7", "punycode", "nonesuch", "\u00e9"])
def test_a_body_in_another_charset_is_refused(client: TestClient, charset: str) -> None:
    kind = f"application/json; charset={charset}".encode("latin-1")
    answer = client.patch("/identities/ada", content=b'{"identity": "eve"}', headers={"content-type": kind})
    check_problem(answer, 400, "malformed_request", "UTF-8")


@pytest.mark.parametrize("key", ["a\u00e9".encode("latin-1"), b"a\x7fb", b"\xff\xfe"])
def test_an_idempotency_key_is_plain_ascii(client: TestClient, key: bytes) -> None:
    headers = {"Idempotency-Key": key}
    answer = client.post("/enroll", files={"image": GOOD}, data={"identity": "ada"}, headers=headers)
    check_problem(answer, 400, "malformed_request")


def test_one_person_is_one_name_however_it_is_composed(client: TestClient) -> None:
    decomposed, composed = "Zoe\u0308", "Zo\u00eb"
    assert client.post("/enroll", files={"image": GOOD}, data={"identity": decomposed}).json()["identity"] == composed
    again = client.post("/enroll", files={"image": GOOD}, data={"identity": composed})
    check_problem(again, 409, "identity_exists")
    assert client.get(f"/identities/{decomposed}").json()["identity"] == composed
    assert client.delete(f"/identities/{decomposed}").json()["identities"] == [composed]
