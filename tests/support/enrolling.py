"""Enrolls without end and prints what was acknowledged: `python -m tests.support.enrolling URL PREFIX`."""

import asyncio
import sys

from app.gallery import open_gallery
from app.gallery.base import IfExists
from tests.support.galleries import new


async def enroll_without_end(url: str, prefix: str) -> None:
    gallery = await open_gallery(url)
    number = 0
    while True:
        await gallery.enroll(new(f"{prefix}{number}", number), IfExists.REJECT)
        print(f"{prefix}{number}", flush=True)
        number += 1


if __name__ == "__main__":
    asyncio.run(enroll_without_end(*sys.argv[1:3]))
