"""Which fields of a body are photos, and how a photo in base64 is read."""

import binascii
from dataclasses import dataclass
from typing import Final

from app.errors import MalformedRequest

PIECE: Final = 512 * 1024  # characters of base64 decoded at once; a multiple of 4
LINE_BREAKS: Final = b"\r\n\t"
URL_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")
NOT_BASE64: Final = "is not valid base64; send the photo's bytes in base64, or as a file in multipart"


@dataclass(frozen=True)
class PhotoFields:
    """The names of a body's fields with one photo, and with a list of photos."""

    single: frozenset[str]
    several: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        return name in self.single or name in self.several


def decode_base64(name: str, text: bytes) -> bytes:
    """Decodes a photo in base64, with or without the start of a data URL.

    Lines may be broken, the alphabet may be that of URLs, and the padding may be missing. Raises MalformedRequest.
    """
    if text[:5].lower() == b"data:":
        text = text[text.find(b",", 0, 200) + 1 :]
    text = text.translate(URL_ALPHABET, LINE_BREAKS)
    digits = text.rstrip(b"=")
    try:
        if len(text) - len(digits) > 2 or b"=" in digits:
            raise ValueError("padding before the end, or too much of it")
        text = digits + b"=" * (-len(digits) % 4)
        return b"".join(
            binascii.a2b_base64(text[start : start + PIECE], strict_mode=True) for start in range(0, len(text), PIECE)
        )
    except ValueError as error:
        raise MalformedRequest([{"field": name, "message": NOT_BASE64}]) from error
