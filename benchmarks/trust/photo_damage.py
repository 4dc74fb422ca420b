"""Photos in every format, and damage to them. The same seed makes the same inputs again."""

import io
import struct
from collections.abc import Iterator
from random import Random
from typing import Final

import pillow_heif
from PIL import Image

INTERESTING: Final = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xda",
    b"\xff\xd9",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
)


def originals() -> list[bytes]:
    """Returns a small photo in every format, and some that cost more than they look."""
    pillow_heif.register_heif_opener()
    picture = Image.linear_gradient("L").resize((96, 64)).convert("RGB")
    found = []
    for kind, options in (
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
        ("GIF", {"save_all": True, "append_images": [picture.rotate(90)]}),
        ("HEIF", {}),
    ):
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        found.append(stream.getvalue())
    for mode in ("P", "LA", "I;16", "1", "CMYK"):
        stream = io.BytesIO()
        kind = "TIFF" if mode == "CMYK" else "PNG"
        (picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode)).save(stream, kind)
        found.append(stream.getvalue())
    for size, kind in (((8192, 6144), "PNG"), ((5000, 5000), "WEBP"), ((6000, 6000), "GIF")):
        stream = io.BytesIO()
        Image.new("L", size).save(stream, kind, **({"lossless": True, "method": 0} if kind == "WEBP" else {}))
        found.append(stream.getvalue())
    return found


def damage(data: bytes, other: bytes, random: Random) -> bytes:
    """Returns the file with one to eight changes: bytes, numbers, cuts, copies, parts of another file."""
    content = bytearray(data)
    for _ in range(random.randint(1, 8)):
        at = (
            random.randrange(len(content) + 1)
            if random.random() < 0.5
            else random.randrange(min(len(content), 200) + 1)
        )
        match random.randrange(7):
            case 0:
                content[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                content[at : at + 4] = random.choice(INTERESTING)
            case 2:
                content[at : at + 4] = struct.pack(
                    random.choice("<>") + "I", random.choice((0, 1, 65535, 8192, 2**31, 2**32 - 1))
                )
            case 3:
                del content[at:]
            case 4:
                part = content[at : at + random.randint(1, 2000)]
                content[at:at] = part * random.randint(1, 40)
            case 5:
                start = random.randrange(max(len(other), 1))
                content[at : at + random.randint(0, 100)] = other[start : start + random.randint(1, 200)]
            case _:
                content[at:at] = random.randbytes(random.randint(1, 16))
    return bytes(content)


def inputs(count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """Yields numbered inputs: first the originals, then damaged ones."""
    files = originals()
    for number in range(count):
        random = Random(seed * 1_000_003 + number)  # noqa: S311
        if number < len(files):
            yield number, files[number]
            continue
        # Large originals are rare: most of the time should go to many inputs.
        chosen = random.choice(files if random.random() < 0.02 else files[:-3])
        yield number, damage(chosen, random.choice(files), random)
