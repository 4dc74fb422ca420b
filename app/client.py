"""The Python client of a running service."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

Photo = Path | str | bytes  # a path, or the bytes of an image file


class ApiError(Exception):
    """The service refused a request, or did not answer.

    `status` is the HTTP status, 0 if the service is unreachable. `code` identifies the problem and does not change
    between versions. `retry_after` is in seconds, None if the service does not say.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None = None) -> None:
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after
        super().__init__(f"{detail} ({code})")


class Facetwin:
    """A client of one service, to be used as a context manager.

    Methods return the JSON of the answer as a dict and raise ApiError. Options are the fields of the endpoint; /docs of
    the service describes them.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        timeout_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)
        except httpx.InvalidURL as error:
            raise ApiError(0, "unreachable", f"{url} is not a URL: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def verify(self, image1: Photo, image2: Photo, **options: Any) -> dict[str, Any]:
        """POST /verify. Options: target_fmr, face_selection."""
        return self._post("/verify", {"image1": image1, "image2": image2}, options)

    def enroll(self, identity: str, image: Photo, *, key: str | None = None, **options: Any) -> dict[str, Any]:
        """POST /enroll. Options: gallery, metadata (a dict), if_exists, face_selection, min_quality.

        `key` makes the request idempotent: sent again with the same key, it adds no second template.
        """
        headers = {"Idempotency-Key": key} if key else {}
        return self._post("/enroll", {"image": image}, {"identity": identity, **options}, headers)

    def identify(self, image: Photo, **options: Any) -> dict[str, Any]:
        """POST /identify. Options: gallery, top_k, target_fpir, face_selection."""
        return self._post("/identify", {"image": image}, options)

    def embed(self, image: Photo, **options: Any) -> dict[str, Any]:
        """POST /embed. Options: face_selection."""
        return self._post("/embed", {"image": image}, options)

    def detect(self, image: Photo) -> dict[str, Any]:
        """POST /detect."""
        return self._post("/detect", {"image": image}, {})

    def list_identities(self, gallery: str = "default") -> Iterator[dict[str, Any]]:
        """GET /identities: yields everybody enrolled, by name. Requests one page at a time."""
        after: str | None = None
        while True:
            query = {"gallery": gallery, **({"after": after} if after else {})}
            page = self._send("GET", "/identities", params=query)
            yield from page["identities"]
            after = page["next_after"]
            if after is None:
                return

    def delete_identity(self, identity: str, gallery: str = "default") -> dict[str, Any]:
        """DELETE /identities/{identity}. Returns the receipt."""
        return self._send("DELETE", _identity_path(identity), params={"gallery": gallery})

    def edit_identity(
        self,
        identity: str,
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        gallery: str = "default",
    ) -> dict[str, Any]:
        """PATCH /identities/{identity}: changes the name, the metadata or both."""
        changes = {key: value for key, value in (("identity", name), ("metadata", metadata)) if value is not None}
        return self._send("PATCH", _identity_path(identity), params={"gallery": gallery}, json=changes)

    def merge_identity(self, identity: str, into: str, gallery: str = "default") -> dict[str, Any]:
        """POST /identities/{identity}/merge. Returns `into` with the templates of both."""
        return self._send("POST", f"{_identity_path(identity)}/merge", params={"gallery": gallery}, json={"into": into})

    def get_model(self) -> dict[str, Any]:
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

    def _send(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise ApiError(0, "unreachable", f"No service answers at {self._http.base_url}: {error}") from error
        try:
            content: dict[str, Any] = response.json()
        except ValueError as error:
            detail = f"The server at {self._http.base_url} is not a facetwin service"
            raise ApiError(response.status_code, "not_facetwin", detail) from error
        if response.is_error:
            code, detail = content.get("code", "error"), content.get("detail", response.text)
            wait = response.headers.get("Retry-After", "")
            raise ApiError(response.status_code, code, detail, float(wait) if wait.isdecimal() else None)
        return content


def _identity_path(identity: str) -> str:
    return f"/identities/{quote(identity, safe='')}"
