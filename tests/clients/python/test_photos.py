import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facetwin_client.photos import read_photo


def sent(image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(read_photo(image)))


def test_a_path_bytes_and_a_file_are_sent_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "photo [1].jpg"
    path.write_bytes(b"photo")
    with path.open("rb") as file:
        for photo in (path, str(path), b"photo", bytearray(b"photo"), memoryview(b"photo"), io.BytesIO(b"photo"), file):
            assert read_photo(photo) == b"photo"


@pytest.mark.parametrize("photo", [None, 5, io.StringIO("text"), ["a.jpg"]])
def test_what_is_no_photo_is_refused(photo: Any) -> None:
    with pytest.raises(TypeError, match="A photo is a path, bytes, a file open in binary mode"):
        read_photo(photo)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        read_photo(tmp_path / "absent.jpg")


def test_an_image_of_pillow_is_sent_nearly_unchanged() -> None:
    image = Image.linear_gradient("L").convert("RGB")
    answer = sent(image)
    assert (answer.format, answer.size) == ("JPEG", image.size)
    largest = max(abs(a - b) for a, b in zip(image.tobytes(), answer.tobytes(), strict=True))
    assert largest <= 4


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"), ("I;16", "PNG")]
)
def test_images_of_every_mode_can_be_sent(mode: str, kind: str) -> None:
    assert sent(Image.new(mode, (8, 8))).format == kind


def test_an_image_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="mode F cannot be sent"):
        read_photo(Image.new("F", (8, 8)))


def test_an_image_is_sent_upright_and_without_the_place_where_it_was_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010E] = "my garden"
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    answer = sent(Image.open(tmp_path / "a.jpg"))
    assert answer.size == (4, 8)
    assert not answer.getexif()
