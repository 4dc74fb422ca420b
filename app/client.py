"""The Python client: photos as paths or bytes, answers as the API gives them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

Photo = Path | str | bytes


class ApiError(Exception):
    """The service refused. `code` is stable; `status` 0 means that it could not be reached; `retry_after` is in
    seconds, where the service names any."""

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None = None) -> None:
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after
        super().__init__(f"{detail} ({code})")


class Facetwin:
    """A running service. Use it as a context manager; every method raises ApiError."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        timeout_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def verify(self, image1: Photo, image2: Photo, **options: Any) -> dict[str, Any]:
        """POST /verify; options: target_fmr, face_selection."""
        return self._post("/verify", {"image1": image1, "image2": image2}, options)

    def enroll(self, identity: str, image: Photo, *, key: str | None = None, **options: Any) -> dict[str, Any]:
        """POST /enroll; options: gallery, metadata (a dict), if_exists, face_selection, min_quality. With the same
        `key` again, nobody is enrolled twice."""
        headers = {"Idempotency-Key": key} if key else {}
        return self._post("/enroll", {"image": image}, {"identity": identity, **options}, headers)

    def identify(self, image: Photo, **options: Any) -> dict[str, Any]:
        """POST /identify; options: gallery, top_k, target_fpir, face_selection."""
        return self._post("/identify", {"image": image}, options)

    def embed(self, image: Photo, **options: Any) -> dict[str, Any]:
        """POST /embed; options: face_selection."""
        return self._post("/embed", {"image": image}, options)

    def detect(self, image: Photo) -> dict[str, Any]:
        """POST /detect."""
        return self._post("/detect", {"image": image}, {})

    def identities(self, gallery: str = "default") -> Iterator[dict[str, Any]]:
        """Everybody, page after page."""
        after: str | None = None
        while True:
            query = {"gallery": gallery, **({"after": after} if after else {})}
            page = self._send("GET", "/identities", params=query)
            yield from page["identities"]
            after = page["next_after"]
            if after is None:
                return

    def forget(self, identity: str, gallery: str = "default") -> dict[str, Any]:
        """DELETE /identities/{identity}: the receipt."""
        return self._send("DELETE", _path(identity), params={"gallery": gallery})

    def edit(
        self,
        identity: str,
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        gallery: str = "default",
    ) -> dict[str, Any]:
        """PATCH /identities/{identity}: another name, other metadata, or both."""
        new = {key: value for key, value in (("identity", name), ("metadata", metadata)) if value is not None}
        return self._send("PATCH", _path(identity), params={"gallery": gallery}, json=new)

    def merge(self, identity: str, into: str, gallery: str = "default") -> dict[str, Any]:
        """POST /identities/{identity}/merge: `into`, with the templates of both."""
        return self._send("POST", f"{_path(identity)}/merge", params={"gallery": gallery}, json={"into": into})

    def model(self) -> dict[str, Any]:
        """GET /model."""
        return self._send("GET", "/model")

    def _post(
        self,
        path: str,
        photos: Mapping[str, Photo],
        options: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        files = {
            name: ("photo", photo if isinstance(photo, bytes) else Path(photo).read_bytes())
            for name, photo in photos.items()
        }
        fields = {
            name: json.dumps(value) if isinstance(value, Mapping) else str(value)
            for name, value in options.items()
            if value is not None
        }
        return self._send("POST", path, files=files, data=fields, headers=headers)

    def _send(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **what)
        except httpx.TransportError as error:
            raise ApiError(0, "unreachable", f"No service answers at {self._http.base_url}: {error}") from error
        try:
            content: dict[str, Any] = answer.json()
        except ValueError as error:
            raise ApiError(
                answer.status_code, "not_facetwin", f"{self._http.base_url} is no facetwin service"
            ) from error
        if answer.is_error:
            code, detail = content.get("code", "error"), content.get("detail", answer.text)
            wait = answer.headers.get("Retry-After", "")
            raise ApiError(answer.status_code, code, detail, float(wait) if wait.isdecimal() else None)
        return content


def _path(identity: str) -> str:
    return f"/identities/{quote(identity, safe='')}"
