"""Photos, as callers have them."""

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias, Union

if TYPE_CHECKING:
    from PIL import Image

# A path, the bytes of an image file, a file open for reading bytes, or an image of Pillow.
Photo: TypeAlias = Union[str, os.PathLike[str], bytes, bytearray, memoryview, BinaryIO, "Image.Image"]

JPEG_MODES: Final = ("RGB", "L", "CMYK", "YCbCr")
JPEG_QUALITY: Final = 95  # with colours in full resolution


def read_photo(photo: Photo) -> bytes:
    """Returns the bytes of an image file. Raises OSError, and TypeError or ValueError for what is no photo.

    A file is read from where it stands. Pillow's images are sent upright and without EXIF: as JPEG of quality 95, or as
    PNG if they have transparency, a palette or 16 bits. To send a file unchanged, give its path.
    """
    if isinstance(photo, bytes | bytearray | memoryview):
        return bytes(photo)
    if isinstance(photo, str | os.PathLike):
        return Path(photo).read_bytes()
    pillow = sys.modules.get("PIL.Image")  # without it, nobody has such an image
    if pillow is not None and isinstance(photo, pillow.Image):
        return _encode(photo)
    content = photo.read() if hasattr(photo, "read") else None
    if isinstance(content, bytes):
        return content
    raise TypeError(
        f"A photo is a path, bytes, a file open in binary mode, or an image of Pillow, not {type(photo).__name__}."
    )


def _encode(image: "Image.Image") -> bytes:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    stream = io.BytesIO()
    try:
        if upright.mode in JPEG_MODES:
            upright.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        else:
            upright.save(stream, "PNG")
    except OSError as error:
        raise ValueError(f"An image of mode {image.mode} cannot be sent. Convert it to RGB.") from error
    return stream.getvalue()
