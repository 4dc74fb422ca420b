"""A running service keeps what its own description promises, on every store."""

from pathlib import Path

from tests.support.description_check import check_description
from tests.support.fakes import picture
from tests.support.loaded_service import LoadedService

KEY = "a-key-of-sixteen!"


def test_answers_are_as_openapi_describes_them(url: str, tmp_path: Path) -> None:
    """`make trust` does the same with the real networks, many more requests, and all routes on both stores."""
    tags = ("identities", "galleries") if url.startswith("postgresql") else ()
    service = LoadedService(url, tmp_path, api_keys=KEY)
    try:
        service.wait_until_ready()
        checked = check_description(service.url, KEY, picture(), tmp_path, 1, phases="examples,coverage", tags=tags)
        assert not checked.faults, checked.log.read_text()
        assert checked.routes >= (12 if tags else 21)
        assert checked.requests > 300
    finally:
        service.end()
