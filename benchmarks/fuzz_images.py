"""`python -m benchmarks.fuzz_images`: sends damaged photos to a decoder process, and counts what becomes of them.

An outcome is `decoded` or the code of a documented error. Anything else ends the run with the input's number: the same
seed makes the same input again. The slowest input and the most memory are those of the process that decodes.
"""

import argparse
import io
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Final

import pillow_heif
from PIL import Image

from app.inference.decoding.pool import DecoderPool
from model.errors import PhotoError
from model.images import ImageLimits

MIN_PIXELS: Final = 1600 * 1200  # as the service asks for
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
                start = random.randrange(len(other))
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


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=2.0, help="processor seconds for one photo")
    parser.add_argument("--memory", type=int, default=300, help="MiB for one photo")
    options = parser.parse_args()
    pool = DecoderPool(1, options.seconds, options.memory * 2**20)
    outcomes, slowest, started = Counter[str](), (0.0, 0), time.monotonic()
    for number, data in inputs(options.inputs, options.seed):
        start = time.monotonic()
        try:
            pool.decode(data, ImageLimits(), MIN_PIXELS)
            outcomes["decoded"] += 1
        except PhotoError as error:
            outcomes[error.code] += 1
        except Exception as error:
            print(f"input {number} of seed {options.seed}: {type(error).__name__}", file=sys.stderr)
            raise
        slowest = max(slowest, (time.monotonic() - start, number))
    print(f"{options.inputs:,} inputs, seed {options.seed}, {time.monotonic() - started:.0f} s")
    for outcome, times in outcomes.most_common():
        print(f"  {outcome:24} {times:9,}")
    print(f"  slowest input: {slowest[0]:.2f} s by the clock (number {slowest[1]})")
    print(
        f"  processes killed or crashed: {pool.replaced}; most memory of a process: {pool.peak_bytes() / 2**20:.0f} MiB"
    )
    pool.close()


if __name__ == "__main__":
    main()
