import base64
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.json_body import parse_json_body
from app.api.photo_fields import PIECE, PhotoFields
from app.errors import MalformedRequest
from tests.app.test_json_text import VALUES

PHOTOS = PhotoFields(frozenset({"image1", "image2"}), frozenset({"images"}))
ROOM = 65_536


def as_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def decode(name: str, text: bytes) -> Any:
    """Decodes a photo that stands in JSON like this."""
    return parse_json_body(b'{"%s": "%s"}' % (name.encode(), text), PHOTOS, ROOM)[name]


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", min_codepoint=32)).filter(lambda key: key not in PHOTOS), VALUES
    )
)
def test_a_body_without_photos_is_parsed_as_json(fields: dict[str, Any]) -> None:
    assert parse_json_body(json.dumps(fields).encode(), PHOTOS, ROOM) == fields


@settings(deadline=None)
@given(st.binary(max_size=100), st.binary(max_size=3000), VALUES)
def test_photos_are_decoded_wherever_they_stand(first: bytes, second: bytes, other: Any) -> None:
    for fields in ({"image1": as_base64(first), "x": other, "image2": as_base64(second)},
                   {"x": {"image1": "kept"}, "image2": as_base64(second), "image1": as_base64(first)}):  # fmt: skip
        for text in (json.dumps(fields), json.dumps(fields, indent=2).replace("/", "\\/")):
            parsed = parse_json_body(text.encode(), PHOTOS, ROOM)
            assert (parsed["image1"], parsed["image2"], parsed["x"]) == (first, second, fields["x"])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=400), max_size=4), VALUES)
def test_a_list_of_photos_is_decoded(photos: list[bytes], other: Any) -> None:
    fields = {"x": {"images": [1, "kept"]}, "images": [as_base64(each) for each in photos], "y": other}
    for text in (json.dumps(fields), json.dumps(fields, indent=2).replace("/", "\\/")):
        assert parse_json_body(text.encode(), PHOTOS, ROOM) == {**fields, "images": photos}


def test_the_bytes_of_listed_photos_do_not_count_as_fields() -> None:
    large = as_base64(bytes(200_000))
    body = json.dumps({"images": [large, large]}).encode()
    assert parse_json_body(body, PHOTOS, ROOM)["images"] == [bytes(200_000)] * 2
    for nested in ({"images": [[large]]}, {"images": {"a": large}}, {"other": [large]}):
        with pytest.raises(MalformedRequest):
            parse_json_body(json.dumps(nested).encode(), PHOTOS, ROOM)
    with pytest.raises(MalformedRequest, match=r"images\.1"):
        parse_json_body(b'{"images": ["AAAA", "?"]}', PHOTOS, ROOM)


@pytest.mark.parametrize(
    "write",
    [
        lambda text: "\\n".join(text[start : start + 76] for start in range(0, len(text), 76)),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text.rstrip("="),
        lambda text: "data:image/png;base64," + text,
        lambda text: "DATA:image/png;base64," + text.replace("+", "-").replace("/", "_").rstrip("="),
    ],
    ids=["line breaks", "alphabet of URLs", "no padding", "data URL", "all"],
)
def test_base64_is_read_as_people_send_it(write: Callable[[str], str]) -> None:
    for length in (3998, 3999, 4000):
        content = (bytes([0xFB, 0xEF, 0xFF, 0xFE]) * 1000)[:length]
        assert decode("image1", write(as_base64(content)).encode()) == content


def test_a_member_that_is_there_twice_is_refused() -> None:
    for body in (b'{"image1": "AAAA", "image1": "AAAA"}', b'{"a": 1, "a": 1}', b'{"x": {"a": 1, "a": 2}}'):
        with pytest.raises(MalformedRequest, match="twice"):
            parse_json_body(body, PHOTOS, ROOM)


def test_a_large_photo_is_decoded_piece_by_piece() -> None:
    content = bytes(range(256)) * (PIECE // 256 * 2) + b"end"
    assert decode("image1", as_base64(content).encode()) == content
    assert decode("image1", b"data:image/jpeg;base64," + as_base64(content).encode()) == content


@pytest.mark.parametrize("escape", ["{:04x}", "{:04X}"])
@pytest.mark.parametrize("line_break", ["\\n", "\\r\\n"])
def test_what_clients_escape_in_base64_is_accepted(escape: str, line_break: str) -> None:
    content = bytes([0xFB, 0xEF, 0xFF, 0xFE]) * 1000  # many + and /, and padding
    text = as_base64(content)
    assert all(character in text for character in "+/=")
    lines = line_break.join(text[start : start + 76] for start in range(0, len(text), 76))
    for character in "+/=":
        lines = lines.replace(character, "\\u" + escape.format(ord(character)))
    assert json.loads(f'"{lines}"').replace("\r", "").replace("\n", "") == text
    assert decode("image1", lines.encode()) == content
    assert decode("image1", as_base64(content).replace("/", "\\/").encode()) == content


@pytest.mark.parametrize("escape", [b"\\/", b"\\u002B", b"\\n", b"\\u003d"])
def test_40_megabytes_of_escapes_cost_little(escape: bytes) -> None:
    start = time.process_time()
    with suppress(MalformedRequest):
        decode("image1", escape * (40_000_000 // len(escape)))
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "AA=A", "====", "AA AA", "A" * (PIECE - 2) + "==AAAA", "\\u0041AAA", "\u00e9"]
)
def test_what_is_not_base64_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(MalformedRequest, match="base64") as refused:
        decode("image2", text.encode())
    assert refused.value.errors[0]["field"] == "image2"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 27_000_000,
        b"[" + b"1," * 13_000_000,
        b'{"a":' + b"1" * 27_000_000,
        b'{"a":"' + b"x" * 27_000_000 + b'"}',
        b'{"a":"' + b'\\"' * 13_000_000 + b'"}',
        b'{"image1":"' + b'\\"' * 13_000_000 + b'"}',
        b'{"image1":"' + b"\\" * 27_000_000 + b'"}',
        b'{"image1":"' + b"A" * 27_000_000,
        b'{"image1":"' + b"%" * 27_000_000 + b'"}',
        b'{"image1":' * 2_700_000,
        b'{"image1":"",' * 2_000_000,
        b"{}" * 13_000_000,
        b" " * 27_000_000,
        b"\xff" * 27_000_000,
    ],
    ids=range(14),
)  # fmt: skip
def test_27_megabytes_of_anything_are_refused_at_little_cost(body: bytes) -> None:
    start = time.process_time()
    with pytest.raises(MalformedRequest):
        parse_json_body(body, PHOTOS, ROOM)
    assert time.process_time() - start < 0.5
