"""What a request's first lines say: its path, whether it needs a key, and whether a body follows."""

from typing import Final

from starlette.types import Scope

PAGE: Final = "/"
PAGE_FOLDER: Final = "/page/"  # the files of the page
# Load balancers ask the first two. The others hold nothing but the page and the description of the API.
OPEN: Final = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json", PAGE})
OPEN_FOLDERS: Final = ("/docs/assets/", PAGE_FOLDER)
# A full service must still tell how full it is.
UNCOUNTED: Final = OPEN | {"/metrics"}


def route_path(scope: Scope) -> str:
    """Returns the path without the prefix under which a proxy serves the application."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def has_body(scope: Scope) -> bool:
    """Says whether the client announced a body."""
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def is_page(path: str) -> bool:
    """Says whether the path is the web page or one of its files."""
    return path == PAGE or path.startswith(PAGE_FOLDER)


def is_open(path: str) -> bool:
    """Says whether anybody may ask for the path, without a key."""
    return path in OPEN or path.startswith(OPEN_FOLDERS)


def is_counted(path: str) -> bool:
    """Says whether a request for the path takes one of the service's places."""
    return path not in UNCOUNTED and not path.startswith(OPEN_FOLDERS)
