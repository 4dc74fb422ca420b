"""What every route needs of a key: scopes, and where the request names the gallery that the key must be for.

The application does not start if a route is missing here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.routing import Match, compile_path
from starlette.types import Scope as AsgiScope

from app.api.paths import OPEN_FOLDERS, is_open, route_path
from app.callers import Caller, Scope
from app.gallery.base import DEFAULT_GALLERY, IfExists


class Names(Enum):
    """Where a request names the gallery that it concerns."""

    NO_GALLERY = auto()  # it concerns none, or its answer shows the caller's own only
    IN_PATH = auto()
    IN_QUERY = auto()
    IN_BODY = auto()  # checked as soon as the fields are parsed, before any photo is decoded


@dataclass(frozen=True)
class Needs:
    """The scopes that a key must have, all of them. None at all means that any key will do."""

    scopes: frozenset[Scope]
    names: Names


def _needs(*scopes: Scope, names: Names = Names.NO_GALLERY) -> Needs:
    return Needs(frozenset(scopes), names)


NEEDED: Final[Mapping[tuple[str, str], Needs]] = {
    ("POST", "/verify"): _needs(Scope.VERIFY, names=Names.IN_BODY),  # only with `identity`
    ("POST", "/embed"): _needs(Scope.VERIFY),
    ("POST", "/detect"): _needs(Scope.VERIFY),
    ("POST", "/identify"): _needs(Scope.IDENTIFY, names=Names.IN_BODY),
    ("POST", "/enroll"): _needs(Scope.ENROLL, names=Names.IN_BODY),
    ("POST", "/reject"): _needs(Scope.ENROLL, names=Names.IN_BODY),
    ("GET", "/identities"): _needs(Scope.READ, names=Names.IN_QUERY),
    ("GET", "/identities/{identity}"): _needs(Scope.READ, names=Names.IN_QUERY),
    ("PATCH", "/identities/{identity}"): _needs(Scope.ENROLL, names=Names.IN_QUERY),
    # One of the two people is gone afterwards.
    ("POST", "/identities/{identity}/merge"): _needs(Scope.ENROLL, Scope.DELETE, names=Names.IN_QUERY),
    ("DELETE", "/identities/{identity}"): _needs(Scope.DELETE, names=Names.IN_QUERY),
    ("GET", "/identities/{identity}/templates"): _needs(Scope.READ, names=Names.IN_QUERY),
    ("DELETE", "/identities/{identity}/templates/{template_id}"): _needs(Scope.DELETE, names=Names.IN_QUERY),
    ("GET", "/identities/{identity}/rejections"): _needs(Scope.READ, names=Names.IN_QUERY),
    ("DELETE", "/identities/{identity}/rejections/{rejection_id}"): _needs(Scope.DELETE, names=Names.IN_QUERY),
    ("GET", "/galleries"): _needs(Scope.READ),
    ("DELETE", "/galleries/{gallery}"): _needs(Scope.ADMIN, names=Names.IN_PATH),
    ("GET", "/model"): _needs(),
    ("GET", "/metrics"): _needs(Scope.READ),
}


_PATTERNS: Final = tuple((method, compile_path(path)[0], needs) for (method, path), needs in NEEDED.items())


def check_request(scope: AsgiScope, caller: Caller) -> None:
    """Checks what can be known before the body. Raises Forbidden.

    A path without a route, or with another method, needs nothing: it is answered 404 or 405. Raises RuntimeError for a
    route that was added after the application was made, and is not in the table.
    """
    path = route_path(scope)
    for method, pattern, needs in _PATTERNS:
        match = pattern.match(path) if method == scope["method"] else None
        if match is not None:
            caller.require(needs.scopes)
            for gallery in _named_galleries(needs.names, scope, match.groupdict()):
                caller.require_gallery(gallery, needs.scopes)
            return
    if any(route.matches(scope)[0] is Match.FULL for route in scope["app"].routes):
        raise RuntimeError("app/api/scopes.py does not say what a route needs")


def check_body(caller: Caller, body: BaseModel, route: tuple[str, str]) -> None:
    """Checks what only the parsed fields say. Raises Forbidden."""
    needs = NEEDED[route]
    gallery: str | None = getattr(body, "gallery", None)  # of several models
    if needs.names is Names.IN_BODY and gallery is not None:
        caller.require_gallery(gallery, needs.scopes)
    if getattr(body, "if_exists", None) is IfExists.REPLACE:
        caller.require({*needs.scopes, Scope.DELETE})


def routes_without_needs(app: FastAPI) -> list[str]:
    """Returns the routes that are neither open nor in the table above."""
    missing = []
    for route in iter_route_contexts(app.routes):
        path = route.path or "?"
        if not (is_open(path) or f"{path}/" in OPEN_FOLDERS):
            methods = sorted(route.methods or {"*"})  # mounted applications and WebSockets have none
            missing += [f"{method} {path}" for method in methods if (method, path) not in NEEDED]
    return missing


def document_needs(schema: dict[str, Any]) -> None:
    """Adds the scopes to each operation of an OpenAPI document that needs a key."""
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if not is_open(path):
                scopes = sorted(map(str, NEEDED[method.upper(), path].scopes))
                words = " and ".join(f"`{scope}`" for scope in scopes)
                sentence = f"Needs a key with the scope {words}." if scopes else "Any key will do."
                operation["description"] = "\n\n".join(filter(None, (operation.get("description"), sentence)))
                operation["security"] = [dict.fromkeys(each, scopes) for each in operation["security"]]


def _named_galleries(names: Names, scope: AsgiScope, found: Mapping[str, str]) -> list[str]:
    if names is Names.IN_PATH:
        return [found["gallery"]]
    if names is Names.IN_QUERY:
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        return query.get("gallery", [DEFAULT_GALLERY])  # all of them, whichever the route will take
    return []
