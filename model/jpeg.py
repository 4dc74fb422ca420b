"""What the header of a JPEG promises: how much work its decoder will have."""

import re
import struct
from typing import Final

MAX_SEGMENTS: Final = 64  # before the first scan; cameras write about ten
START_OF_SCAN: Final = 0xDA
END_OF_IMAGE: Final = b"\xff\xd9"
# What may follow a whole picture before its end marker: decoders skip it. If pixels are missing, they decode it.
FILLINGS: Final = (b"\xaa" * 64, b"\x5b" * 64)
# Huffman-coded, 8 bits: sequential (baseline and extended) and progressive. Cameras and browsers write no others.
_ORDINARY_FRAMES: Final = (0xC0, 0xC1, 0xC2)
_OTHER_FRAMES: Final = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
# A scan's marker, length and number of components, which determines the length. Decoders refuse any other length.
_SCAN: Final = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
_FRAME: Final = struct.Struct(">BHHB")  # bits, height, width, components


def pixels_to_scan(data: bytes) -> int | None:
    """Returns the pixels of an ordinary JPEG times its scans: each scan passes over the whole picture again.

    None if the file is anything else, or has anything unusual before its first scan. Then nothing is promised.
    """
    if not data.startswith(b"\xff\xd8"):
        return None
    position, size = 2, 0
    for _ in range(MAX_SEGMENTS):
        segment = data[position : position + 4]
        if len(segment) < 4 or segment[0] != 0xFF:
            return None
        marker, length = segment[1], int.from_bytes(segment[2:])
        if marker in _ORDINARY_FRAMES and not size and length >= 2 + _FRAME.size:
            frame = data[position + 4 : position + 4 + _FRAME.size]
            bits, height, width, components = _FRAME.unpack(frame) if len(frame) == _FRAME.size else (0, 0, 0, 0)
            size = width * height
            if bits != 8 or not size or components not in (1, 3):
                return None
        elif marker == START_OF_SCAN:
            return size * count_scans(data) if size else None
        elif marker in (*_ORDINARY_FRAMES, *_OTHER_FRAMES) or marker < 0xC0 or 0xD0 <= marker <= 0xD9:
            return None
        position += 2 + length
    return None


def lacks_end_marker(data: bytes) -> bool:
    """Says whether a JPEG has no end marker after its last scan. It may lack more than that."""
    return data.startswith(b"\xff\xd8") and data.rfind(END_OF_IMAGE) < data.rfind(b"\xff\xda")


def count_scans(data: bytes) -> int:
    """Returns the number of scans of a JPEG, or a few more: those of a thumbnail in it count too.

    Phones append a video to a photo, in which the two bytes of the marker alone are frequent.
    """
    return len(_SCAN.findall(data))
