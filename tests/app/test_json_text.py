import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.json_text import MAX_DEPTH, MAX_METADATA_BYTES, InvalidJson, check_metadata, parse_json

ASCII = st.text(st.characters(codec="ascii", min_codepoint=32))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII, inner),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None)
@given(VALUES)
def test_whatever_can_be_stored_is_parsed_as_it_is(value: Any) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 300 + b"]" * 300, "levels"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "levels"),
        (b"[" * 60_000, "not valid JSON"),
        (b"NaN", "finite"),
        (b"[-Infinity]", "finite"),
        (b'{"a": 1e999}', "finite"),
        (b"9" * 5000, "not valid JSON"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b'["\\u0000"]', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'"\xff"', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        ('"a"'.encode("utf-16"), "UTF-8"),
        ("\ufeff1".encode("utf-32"), "UTF-8"),
        (b"", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b"{} {}", "not valid JSON"),
    ],
)
def test_what_no_store_could_return_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(InvalidJson, match=words):
        parse_json(text)


def test_as_many_levels_as_allowed_pass_and_one_more_does_not() -> None:
    assert parse_json("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH)
    with pytest.raises(InvalidJson, match="32 levels"):
        parse_json("[" * (MAX_DEPTH + 1) + "1" + "]" * (MAX_DEPTH + 1))


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse_json("\ufeff{}".encode()) == {}


def test_metadata_is_measured_in_bytes() -> None:
    fits = "\u00e9" * ((MAX_METADATA_BYTES - 10) // 2)
    assert check_metadata({"a": fits}) == {"a": fits}
    with pytest.raises(InvalidJson, match="16 KiB"):
        check_metadata({"a": fits + "\u00e9" * 10})
    with pytest.raises(InvalidJson, match="surrogate"):
        check_metadata({"a": ["\udfff"]})
