"""The Python client of a running service."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
        """POST /verify with two photos. Options: target_fmr, face_selection."""
        return self._post("/verify", {"image1": image1, "image2": image2}, options)

    def verify_identity(self, image: Photo, identity: str, **options: Any) -> dict[str, Any]:
        """POST /verify with a photo and an enrolled person. Options: gallery, target_fmr, face_selection."""
        return self._post("/verify", {"image1": image}, {"identity": identity, **options})

    def enroll(
        self, identity: str, image: Photo | Sequence[Photo], *, key: str | None = None, **options: Any
    ) -> dict[str, Any]:
        """POST /enroll with one photo, or a list of photos: all are enrolled, or none.

        Options: gallery, metadata (a dict), if_exists, face_selection, min_quality, expires_at, consent_ref. `key`
        makes the request idempotent: sent again with the same key, it adds no second template.
        """
        headers = {"Idempotency-Key": key} if key else {}
        photos = {"image": image} if isinstance(image, Path | str | bytes) else {"images": image}
        return self._post("/enroll", photos, {"identity": identity, **options}, headers)

    def identify(self, image: Photo, **options: Any) -> dict[str, Any]:
        """POST /identify. Options: gallery, top_k, target_fpir, face_selection, faces ("all" for everybody)."""
        return self._post("/identify", {"image": image}, options)

    def identify_embedding(self, embedding: Sequence[float], encoder_id: str, **options: Any) -> dict[str, Any]:
        """POST /identify with an answer of `embed`. Options: gallery, top_k, target_fpir."""
        return self._send("POST", "/identify", json=_probe(embedding, encoder_id, options))

    def reject(self, identity: str, image: Photo, **options: Any) -> dict[str, Any]:
        """POST /reject: the photo does not show this person. Options: gallery, face_selection."""
        return self._post("/reject", {"image": image}, {"identity": identity, **options})

    def reject_embedding(
        self, identity: str, embedding: Sequence[float], encoder_id: str, **options: Any
    ) -> dict[str, Any]:
        """POST /reject with an answer of `embed`. Options: gallery."""
        return self._send("POST", "/reject", json=_probe(embedding, encoder_id, {"identity": identity, **options}))

    def embed(self, image: Photo, **options: Any) -> dict[str, Any]:
        """POST /embed. Options: face_selection."""
        return self._post("/embed", {"image": image}, options)

    def detect(self, image: Photo) -> dict[str, Any]:
        """POST /detect."""
        return self._post("/detect", {"image": image}, {})

    def list_identities(self, gallery: str = "default", prefix: str = "") -> Iterator[dict[str, Any]]:
        """GET /identities: yields everybody enrolled whose name begins with `prefix`. Requests one page at a time."""
        return self._pages("/identities", "identities", {"gallery": gallery, "prefix": prefix})

    def list_templates(self, identity: str, gallery: str = "default") -> Iterator[dict[str, Any]]:
        """GET /identities/{identity}/templates: yields each template. Requests one page at a time."""
        return self._pages(f"{_identity_path(identity)}/templates", "templates", {"gallery": gallery})

    def list_rejections(self, identity: str, gallery: str = "default") -> list[dict[str, Any]]:
        """GET /identities/{identity}/rejections, oldest first."""
        found = self._send("GET", f"{_identity_path(identity)}/rejections", params={"gallery": gallery})
        rejections: list[dict[str, Any]] = found["rejections"]
        return rejections

    def delete_rejection(self, identity: str, rejection_id: str, gallery: str = "default") -> dict[str, Any]:
        """DELETE /identities/{identity}/rejections/{rejection_id}."""
        path = f"{_identity_path(identity)}/rejections/{quote(rejection_id, safe='')}"
        return self._send("DELETE", path, params={"gallery": gallery})

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
        photos: Mapping[str, Photo | Sequence[Photo]],
        options: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        files = [
            (name, ("photo", photo if isinstance(photo, bytes) else Path(photo).read_bytes()))
            for name, some in photos.items()
            for photo in ([some] if isinstance(some, Path | str | bytes) else some)
        ]
        fields = {
            name: json.dumps(value) if isinstance(value, Mapping) else str(value)
            for name, value in options.items()
            if value is not None
        }
        return self._send("POST", path, files=files, data=fields, headers=headers)

    def _pages(self, path: str, name: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        after: str | None = None
        while True:
            page = self._send("GET", path, params={**query, **({"after": after} if after else {})})
            yield from page[name]
            after = page["next_after"]
            if after is None:
                return

    def _send(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, f"/v1{path}", **request)
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


def _probe(embedding: Sequence[float], encoder_id: str, options: Mapping[str, Any]) -> dict[str, Any]:
    used = {name: value for name, value in options.items() if value is not None}
    return {"embedding": list(embedding), "encoder_id": encoder_id, **used}
