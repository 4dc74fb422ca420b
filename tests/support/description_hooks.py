"""Hooks for schemathesis: what the description does not say of a valid request.

Some of it no schema can say: without the hooks no generated request would have a photo that can be decoded, an
embedding of length 1, or the name of somebody who is enrolled. Some of it a schema could say, but generators of clients
stumble over `oneOf` beside the fields: which of two fields to send. Valid requests become such that are valid for the
service, too; of all others only the photos are replaced.
"""

import base64
import json
import os
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import schemathesis
from schemathesis import GenerationMode
from schemathesis.generation.meta import TestPhase

from tests.support.description_check import KEY_VARIABLE, PHOTO_VARIABLE

PHOTO: Final = Path(os.environ[PHOTO_VARIABLE]).read_bytes()
ENROLLED: Final = ("ada lovelace", "grace hopper")
JSON_TYPE: Final = "application/json"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Puts photos, embeddings, a time in the future and enrolled people into a request."""
    meta = case.meta
    is_valid = meta is not None and meta.generation.mode is GenerationMode.POSITIVE
    _complete(case, is_valid, is_stateful=meta is not None and meta.phase.name is TestPhase.STATEFUL)
    # Otherwise schemathesis takes every form whose bytes have changed for an invalid one.
    case._sync_validated_hashes()


def _complete(case: Any, is_valid: bool, is_stateful: bool) -> None:
    # From the request, not its id: the ids of two runs differ.
    drawn = zlib.crc32(repr((case.operation.label, case.path_parameters, case.query, case.body)).encode())
    body, as_json = case.body if isinstance(case.body, dict) else {}, case.media_type == JSON_TYPE
    photo: Any = PHOTO if drawn % 4 else b"Dear Sir or Madam"
    if as_json:
        photo = base64.b64encode(photo).decode()
    for name in ("image", "image1", "image2"):
        if isinstance(body.get(name), type(photo)) and body[name]:
            body[name] = photo
    if isinstance(body.get("images"), list):
        body["images"] = [photo if isinstance(each, type(photo)) and each else each for each in body["images"]]
    if not is_valid:
        return
    if isinstance(body.get("expires_at"), str):
        body["expires_at"] = "2999-12-31T00:00:00Z"
    route, path = case.operation.path.rpartition("/")[2], case.path_parameters or {}
    service = _Service(case.operation.base_url.rstrip("/"))
    if isinstance(case.body, dict):
        _choose_fields(route, body, photo, drawn, service)
    # Stateful cases follow what became of the people that they enrolled themselves.
    if not is_stateful and drawn // 2 % 2:
        if "identity" in path:
            _name_the_enrolled(path, case.query or {}, body, service)
        elif route in ("verify", "reject") and "identity" in body:
            service.enroll(ENROLLED[0])
            body["identity"] = ENROLLED[0]
            body.pop("gallery", None)
    if "into" in body and body["into"] == path.get("identity"):
        body["into"] = "somebody else"


def _choose_fields(route: str, body: dict[str, Any], photo: Any, drawn: int, service: "_Service") -> None:
    """Leaves one of two fields that exclude each other, and adds those that others need."""
    first = bool(drawn % 2)
    if route == "verify":
        if first:
            _keep(body, "image2", photo, ("identity", "gallery"))
        else:
            _keep(body, "identity", ENROLLED[0], ("image2",))
    elif route == "enroll":
        if first:
            _keep(body, "image", photo, ("images",))
        else:
            _keep(body, "images", [photo], ("image",))
    elif route in ("identify", "reject"):
        if first:
            _keep(body, "image", photo, ("embedding", "encoder_id"))
        else:
            embedding, encoder_id = service.embed()
            for name in ("image", "faces", "liveness"):  # which need a photo
                body.pop(name, None)
            body["embedding"] = list(embedding) if isinstance(photo, str) else json.dumps(embedding)
            body["encoder_id"] = encoder_id if drawn % 8 else "f" * 64
    elif body.keys() <= {"identity", "metadata"} and body.get("identity") is None and body.get("metadata") is None:
        body["identity"] = "somebody else"  # a change needs one of the two


def _keep(body: dict[str, Any], field: str, value: Any, without: tuple[str, ...]) -> None:
    if not body.get(field):
        body[field] = value
    for name in without:
        body.pop(name, None)


def _name_the_enrolled(path: dict[str, Any], query: dict[str, Any], body: dict[str, Any], service: "_Service") -> None:
    template_id, _ = [service.enroll(name) for name in ENROLLED]
    path["identity"] = ENROLLED[0]
    query.pop("gallery", None)
    if "template_id" in path:
        path["template_id"] = template_id
    if "rejection_id" in path:
        path["rejection_id"] = service.reject(ENROLLED[0])
    if "into" in body:
        body["into"] = ENROLLED[1]


@dataclass(frozen=True)
class _Service:
    """The service that is checked, asked for what a valid request needs."""

    url: str

    def enroll(self, identity: str) -> str:
        """Enrolls somebody, who may be enrolled already. Returns the id of the only template."""
        fields = {"identity": identity, "if_exists": "replace"}
        template: str = self._post("enroll", files={"image": PHOTO}, data=fields)["template_id"]
        return template

    def reject(self, identity: str) -> str:
        """Remembers that the photo is not somebody who is enrolled. Returns the id of the rejection."""
        rejection: str = self._post("reject", files={"image": PHOTO}, data={"identity": identity})["rejection_id"]
        return rejection

    @cache  # noqa: B019
    def embed(self) -> tuple[tuple[float, ...], str]:
        """Returns the photo's embedding and the id of its encoder."""
        answer = self._post("embed", files={"image": PHOTO})
        return tuple(answer["embedding"]), answer["model"]["encoder_id"]

    def _post(self, route: str, **content: Any) -> Any:
        headers = {"authorization": f"Bearer {os.environ[KEY_VARIABLE]}"}
        answer = httpx.post(f"{self.url}/{route}", headers=headers, timeout=60, **content)
        return answer.raise_for_status().json()
