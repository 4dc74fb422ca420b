"""Enrolls until it is killed, and prints each name once it is stored.

Usage: `python -m tests.support.enroll_forever URL PREFIX [SECRET]`; with the secret of the audit log, it is recorded.
"""

import asyncio
import sys

from app.gallery import open_gallery
from app.gallery.audit import AuditSecret
from app.gallery.base import IfExists
from tests.support.galleries import new_template


async def enroll_forever(url: str, prefix: str, secret: str | None = None) -> None:
    gallery = await open_gallery(url, secret=None if secret is None else AuditSecret(secret.encode()))
    number = 0
    while True:
        await gallery.enroll(new_template(f"{prefix}{number}", number), IfExists.REJECT)
        print(f"{prefix}{number}", flush=True)
        number += 1


if __name__ == "__main__":
    asyncio.run(enroll_forever(*sys.argv[1:4]))
