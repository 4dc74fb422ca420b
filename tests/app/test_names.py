import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.names import (
    GALLERY_PATTERN,
    IDENTITY_PATTERN,
    MAX_NAME_CHARACTERS,
    TEXT_PATTERN,
    InvalidName,
    check_text,
    clean_gallery,
    clean_identity,
)

DECOMPOSED = "Zoe\u0308"


def test_a_name_is_stripped_and_put_into_nfc() -> None:
    assert clean_identity(f"  {DECOMPOSED} van der Berg\u00a0") == "Zo\u00eb van der Berg"


@pytest.mark.parametrize(
    "name",
    ["", " ", "\u3000", "a/b", "/", ".", "..", " .. ", "a\0b", "a\nb", "a\n", "\x1fa", "a\x85b", "a\u2028b", "\ud800"],
)  # fmt: skip
def test_a_name_that_cannot_be_stored_listed_or_erased_is_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        clean_identity(name)


def test_the_length_is_that_of_the_stored_name() -> None:
    assert len(clean_identity("e\u0308" * 200)) == 200
    with pytest.raises(InvalidName, match="200 characters"):
        clean_identity("x" * 201)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_whatever_passes_can_be_written_as_utf8_and_passes_again_unchanged(text: str) -> None:
    try:
        name = clean_identity(text)
    except InvalidName:
        return
    assert name.encode().decode() == name == unicodedata.normalize("NFC", name) == clean_identity(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "a\n", "\u00e9", "x" * 65])
def test_a_gallery_has_a_plain_name(name: str) -> None:
    with pytest.raises(InvalidName):
        clean_gallery(name)
    assert clean_gallery("staff-2.old_") == "staff-2.old_"


def test_text_may_be_anything_that_is_one_line_of_unicode() -> None:
    assert check_text("any/text \U0001f600") == "any/text \U0001f600"
    for refused in ("\0", "\udfff", "\r"):
        with pytest.raises(InvalidName):
            check_text(refused)


@pytest.mark.parametrize(
    ("pattern", "check"),
    [(TEXT_PATTERN, check_text), (IDENTITY_PATTERN, clean_identity), (GALLERY_PATTERN, clean_gallery)],
    ids=["text", "identity", "gallery"],
)
@settings(deadline=None)
@given(text=st.text(st.one_of(st.sampled_from(" ./a\n\x1f\x85\u2028\u00a0"), st.characters(codec="utf-8")), max_size=9))
def test_the_patterns_of_the_api_description_say_what_is_accepted(
    pattern: str, check: Callable[[str], str], text: str
) -> None:
    assert MAX_NAME_CHARACTERS > 9 * 3  # composed or not, these are never too long
    try:
        check(text)
        accepted = True
    except InvalidName:
        accepted = False
    # Python's $ also matches before a line break at the end; that of JSON Schema does not.
    assert bool(re.match(pattern.replace("$", r"\Z"), text)) == accepted
