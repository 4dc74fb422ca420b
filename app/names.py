"""The names of people and galleries, and other short text that callers choose: one rule for every way in.

Bodies, paths, queries, headers, folders, archives and imports use it. What passes can be stored in every gallery, be
listed as JSON, and be named in a URL. Messages never quote the text.
"""

import re
import unicodedata
from typing import Final

MAX_NAME_CHARACTERS: Final = 200
GALLERY_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Control characters, halves of a surrogate pair (no UTF-8 has them), line and paragraph separators.
REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# The same rules for the API's description. JSON has no halves of surrogate pairs.
REFUSED_CHARACTERS: Final = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
TEXT_PATTERN: Final = f"^[^{REFUSED_CHARACTERS}]*$"
LINE_PATTERN: Final = rf"^(?!\s*$)[^{REFUSED_CHARACTERS}]+$"
IDENTITY_PATTERN: Final = rf"^(?!\s*\.{{0,2}}\s*$)[^/{REFUSED_CHARACTERS}]+$"
GALLERY_PATTERN: Final = rf"^(?!\.{{1,2}}$){GALLERY_NAME.pattern}$"


class InvalidName(ValueError):
    """A name or text that is refused. The message says why, without a subject: `has a slash`."""


def clean_identity(text: str) -> str:
    """Returns a person's name in Unicode's form NFC, without spaces around it.

    Raises InvalidName for an empty name, one of more than 200 characters, one with a slash or a control character, and
    for `.` and `..`, which URLs cannot name.
    """
    name = unicodedata.normalize("NFC", check_text(text).strip())
    if not name:
        raise InvalidName("is empty")
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidName(f"has more than {MAX_NAME_CHARACTERS} characters")
    if "/" in name:
        raise InvalidName("has a slash; names are parts of paths")
    if name in (".", ".."):
        raise InvalidName("is a relative path, which no URL can name")
    return name


def clean_prefix(text: str) -> str:
    """Returns the beginning of a person's name in Unicode's form NFC, or nothing. Raises InvalidName."""
    return unicodedata.normalize("NFC", check_text(text).lstrip())


def clean_gallery(text: str) -> str:
    """Returns a gallery's name. Raises InvalidName unless it has 1 to 64 of A-Z a-z 0-9 . _ - and is not a path."""
    if not GALLERY_NAME.fullmatch(text):
        raise InvalidName("must have 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    if text in (".", ".."):
        raise InvalidName("is a relative path, which no URL can name")
    return text


def check_text(text: str) -> str:
    """Returns the text. Raises InvalidName if it has a control character or cannot be written as UTF-8."""
    found = {unicodedata.category(character) for character in set(text)} & REFUSED_CATEGORIES
    if "Cs" in found:
        raise InvalidName("is not valid Unicode: it has half of a surrogate pair")
    if found:
        raise InvalidName("has a control character or a line break")
    return text
