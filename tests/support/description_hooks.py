"""Hooks for schemathesis: what a schema cannot say of a valid request.

Without them no generated request would have a photo that can be decoded, or name somebody who is enrolled. Each
replaces a valid value by another valid one of the same type, so none makes an invalid request valid.
"""

import base64
import os
import zlib
from pathlib import Path
from typing import Any, Final

import httpx
import schemathesis
from schemathesis import GenerationMode

from tests.support.description_check import KEY_VARIABLE, PHOTO_VARIABLE

PHOTO: Final = Path(os.environ[PHOTO_VARIABLE]).read_bytes()
ENROLLED: Final = ("ada lovelace", "grace hopper")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Puts photos, a time in the future and enrolled people into a request."""
    drawn = zlib.crc32(case.id.encode())
    body, as_json = case.body if isinstance(case.body, dict) else {}, case.media_type == "application/json"
    photo = PHOTO if drawn % 4 else b"Dear Sir or Madam"
    for name in ("image", "image1", "image2"):
        if isinstance(body.get(name), str if as_json else bytes) and body[name]:
            body[name] = base64.b64encode(photo).decode() if as_json else photo
    if case.meta is not None and case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if isinstance(body.get("expires_at"), str):
        body["expires_at"] = "2999-12-31T00:00:00Z"
    path = case.path_parameters or {}
    # Stateful cases follow what became of the people that they enrolled themselves.
    if "identity" in path and drawn % 2 and case.meta is not None and case.meta.phase.name.value != "stateful":
        first, _ = [_enroll(name, case.operation.base_url) for name in ENROLLED]
        path["identity"] = ENROLLED[0]
        (case.query or {}).pop("gallery", None)
        if "template_id" in path:
            path["template_id"] = first
        if "into" in body:
            body["into"] = ENROLLED[1]
    if "into" in body and body["into"] == path.get("identity"):
        body["into"] = "somebody else"


def _enroll(identity: str, base_url: str) -> str:
    """Enrolls somebody, who may be enrolled already. Returns the id of the only template."""
    headers = {"authorization": f"Bearer {os.environ[KEY_VARIABLE]}"}
    fields = {"identity": identity, "if_exists": "replace"}
    url = f"{base_url.rstrip('/')}/enroll"
    answer = httpx.post(url, files={"image": PHOTO}, data=fields, headers=headers, timeout=60)
    template: str = answer.raise_for_status().json()["template_id"]
    return template
