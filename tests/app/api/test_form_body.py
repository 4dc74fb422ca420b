import base64
import time
from typing import Any

import pytest

from app.api.form_body import parse_form_body
from app.api.photo_fields import PhotoFields
from app.errors import MalformedRequest

KIND = "multipart/form-data; boundary=frontier"
PHOTOS = PhotoFields(frozenset({"image"}), frozenset({"images"}))


def part(content: bytes, name: str = "identity", more: str = "", *headers: str) -> bytes:
    lines = [f'Content-Disposition: form-data; name="{name}"{more}', *headers]
    return b"--frontier\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


END = b"--frontier--\r\n"
FILE = '; filename="a.jpg"'


def parse(body: bytes, kind: str = KIND) -> dict[str, Any]:
    return parse_form_body(kind, [body], PHOTOS, 65_536)


def test_files_are_bytes_and_fields_are_text() -> None:
    body = part(b"\xff\r\n--front\r\n", "image", FILE) + part("Zo\u00eb".encode()) + END
    assert parse(body) == {"image": b"\xff\r\n--front\r\n", "identity": "Zo\u00eb"}


def test_a_photo_needs_no_file_name() -> None:
    picture = b"BM" + bytes(200)  # bytes that ASCII has, too
    for content, more in ((b"\xff\xd8\xff", ""), (picture, ""), (picture, '; filename=""')):
        assert parse(part(content, "image", more, "Content-Type: image/jpeg") + END) == {"image": content}
    text = base64.b64encode(picture)
    assert parse(part(b"data:image/bmp;base64," + text, "image") + END) == {"image": picture}
    assert parse(part(text + b"\n", "image") + END) == {"image": picture}


def test_several_photos_have_one_name() -> None:
    body = part(b"\xff1", "images", FILE) + part(b"ada") + part(b"\xff2", "images", FILE) + END
    assert parse(body) == {"images": [b"\xff1", b"\xff2"], "identity": "ada"}


def test_how_the_body_arrives_does_not_matter() -> None:
    body = part(bytes(range(256)) * 3, "image", FILE) + part(b"ada") + END
    for size in (1, 7, 100):
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        assert parse_form_body(KIND, chunks, PHOTOS, 65_536) == parse(body)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (part(b"a\xff"), KIND, "UTF-8"),
        (part(b"a", "identity", "", "Content-Type: text/plain; charset=utf-7"), KIND, "charset"),
        (part(b"a", "identity", "", "Content-Type: text/plain; charset=latin-1"), KIND, "charset"),
        (part(b"a"), f"{KIND}; charset=utf-16", "charset"),
        (part(b"a", "image"), KIND, "must be a file"),
        (part(b"photo.jpg", "images"), KIND, "must be a file"),
        (part(b"a") + part(b"b"), KIND, "identity: is there twice"),
        (part(b"a", "image", FILE) * 2, KIND, "image: is there twice"),
        (part(b"x" * 66_000), KIND, "65,536 bytes"),
        (part(b"x" * 40_000) + part(b"x" * 40_000, "b", FILE), KIND, "65,536 bytes"),
        (part(b"a", "images", FILE) * 40, KIND, "32 parts"),
        (part(b"a", "identity", "", *[f"X-{i}: 1" for i in range(20)]), KIND, "8 headers"),
        (part(b"a", "identity", "", f"X: {'x' * 5000}"), KIND, "4,096 bytes"),
        (part(b"a"), "multipart/form-data", "boundary"),
        (b"Dear Sir", KIND, "multipart"),
        (b"--frontier\r\nContent-Disposition: form-data; name=\xff\r\n\r\na\r\n", KIND, "multipart"),
        (b"", KIND, "empty"),
    ],
    ids=range(17),
)  # fmt: skip
def test_a_form_that_is_not_plain_utf8_or_too_large_in_any_way_is_refused(body: bytes, kind: str, words: str) -> None:
    with pytest.raises(MalformedRequest, match=words) as refused:
        parse(body + END, kind)
    assert "xxx" not in str(refused.value)


def test_a_form_that_was_cut_off_is_refused() -> None:
    body = part(b"a", "image", FILE) + END
    for length in (10, len(body) - len(END), len(body) - 5):
        with pytest.raises(MalformedRequest, match="multipart"):
            parse(body[:length])


@pytest.mark.parametrize("filling", [b"\r\n--frontie", b"\r", b"\n", b"\r\n", b"x"])
def test_27_megabytes_of_anything_cost_little(filling: bytes) -> None:
    body = part(filling * (27_000_000 // len(filling)), "image", FILE) + END
    chunks = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    start = time.process_time()
    assert len(parse_form_body(KIND, chunks, PHOTOS, 65_536)["image"]) > 26_000_000
    assert time.process_time() - start < 0.5
