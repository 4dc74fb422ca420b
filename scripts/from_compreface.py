#!/usr/bin/env python3
"""Downloads the photos of a CompreFace face collection as FOLDER/SUBJECT/ID.jpg, the layout of `facetwin enroll-all`.

Run it again after an interruption: it skips what it has. It asks CompreFace's REST API, version 0.6 or newer:
`GET /api/v1/recognition/faces?page=&size=` and `GET /api/v1/recognition/faces/ID/img`, header `x-api-key`.
"""

import argparse
import getpass
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx

PAGE = 100  # photos listed at once


def list_photos(service: httpx.Client) -> Iterator[tuple[str, str]]:
    """Subject and id of every photo."""
    page, pages = 0, 1
    while page < pages:
        answer = service.get("/api/v1/recognition/faces", params={"page": page, "size": PAGE}).raise_for_status()
        listed = answer.json()
        yield from ((face["subject"], face["image_id"]) for face in listed["faces"])
        page, pages = page + 1, listed["total_pages"]


def folder_name(subject: str) -> str:
    """The subject as the name of a folder: what a name of a folder cannot hold is written as %XX."""
    quoted = subject.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    return quoted.replace(".", "%2E") if set(quoted) <= {"."} else quoted


def download(service: httpx.Client, folder: Path) -> tuple[int, int]:
    """Returns how many photos are in the folder now, and how many CompreFace did not keep."""
    kept = lost = 0
    for subject, image_id in list_photos(service):
        target = folder / folder_name(subject) / f"{quote(image_id, safe='')}.jpg"
        if not target.exists():
            path = f"/api/v1/recognition/faces/{quote(image_id, safe='')}/img"
            photo = service.get(path).raise_for_status().content
            if not photo:  # CompreFace's answer for a photo that it did not save
                lost += 1
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".partial")
            partial.write_bytes(photo)
            partial.replace(target)
        kept += 1
    return kept, lost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="address of CompreFace, as http://localhost:8000")
    parser.add_argument("folder", type=Path, help="where the photos go")
    arguments = parser.parse_args()
    key = os.environ.get("COMPREFACE_API_KEY") or getpass.getpass("API key of the recognition service: ")
    try:
        with httpx.Client(base_url=arguments.url, headers={"x-api-key": key}, timeout=60) as service:
            kept, lost = download(service, arguments.folder)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        reason = "CompreFace refuses the API key" if status in (401, 403) else f"CompreFace answers {status}"
        print(f"{reason} at {arguments.url}. Take the key of the recognition service.", file=sys.stderr)
        return 1
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, OSError) as error:
        print(f"{arguments.url} does not answer as CompreFace does: {error!r}", file=sys.stderr)
        return 1
    print(f"{kept} photos are in {arguments.folder}." + (f" {lost} were not saved by CompreFace." if lost else ""))
    print(f"Now run: facetwin enroll-all {arguments.folder} --report report.ndjson")
    return 0


if __name__ == "__main__":
    sys.exit(main())
