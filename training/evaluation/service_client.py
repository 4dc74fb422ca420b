"""A client that sends photos by name to a running facetwin service."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from training.data.errors import DataError
from training.data.photos import Photo

MAX_RETRIES: Final = 100  # of a request that the service answers with 429


class ServiceClient:
    """Raises DataError where the service cannot be reached or answers with an error that the photo does not explain."""

    def __init__(self, url: str, photos: Sequence[Photo], transport: httpx.BaseTransport | None = None) -> None:
        try:
            self._http = httpx.Client(base_url=url, timeout=60, transport=transport)
        except httpx.InvalidURL as error:
            raise DataError(f"{url} is not a URL: {error}. Write for example http://localhost:8000.") from error
        self._photos: Mapping[str, Photo] = {photo.name: photo for photo in photos}

    def get(self, path: str) -> dict[str, object]:
        return self._parse(self._send("GET", path))

    def post(self, path: str, images: Mapping[str, str], **fields: object) -> dict[str, object]:
        """Sends photos by name. For a photo without a face it returns the problem itself, code no_face_found."""
        files = {field: (name, self._photos[name].read()) for field, name in images.items()}
        data = {"face_selection": "central", **{key: str(value) for key, value in fields.items()}}
        for _ in range(MAX_RETRIES):
            response = self._send("POST", path, files=files, data=data)
            if response.status_code != 429:
                break
            time.sleep(float(response.headers.get("retry-after", 1)))
        return self._parse(response)

    def delete(self, path: str) -> None:
        """Deletes what is there; nothing to delete is not an error."""
        self._send("DELETE", path)

    def close(self) -> None:
        self._http.close()

    def _send(self, method: str, path: str, **content: object) -> httpx.Response:
        try:
            return self._http.request(method, path, **content)  # type: ignore[arg-type]
        except (httpx.TransportError, httpx.UnsupportedProtocol) as error:
            raise DataError(
                f"No facetwin service answers at {self._http.base_url} ({error}). Start it with `make serve`."
            ) from error

    def _parse(self, response: httpx.Response) -> dict[str, object]:
        try:
            return dict(self._checked(response).json())
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{response.request.url} does not answer as facetwin does. Name the address of a facetwin service."
            ) from error

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.is_success or _problem_code(response) == "no_face_found":
            return response
        raise DataError(f"{response.request.url.path} answered {response.status_code}: {response.text[:300]}")


def _problem_code(response: httpx.Response) -> object:
    """The `code` of a problem document; None where the body is anything else."""
    try:
        return response.json().get("code")
    except (ValueError, AttributeError):
        return None
