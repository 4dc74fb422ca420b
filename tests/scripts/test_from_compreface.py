import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "from_compreface.py"
KEY = "key-of-the-service"
PHOTOS = {"id-1": ("Ada", b"one"), "id-2": ("Ada", b"two"), "id-3": ("../out/of\\it", b"three"), "id-4": ("Bob", b"")}


class CompreFace(BaseHTTPRequestHandler):
    """Answers as CompreFace does, two photos a page."""

    def do_GET(self) -> None:
        if self.headers["x-api-key"] != KEY:
            return self._answer(401, b"{}")
        path, _, query = self.path.partition("?")
        if path == "/api/v1/recognition/faces":
            page = int(dict(part.split("=") for part in query.split("&"))["page"])
            some = list(PHOTOS.items())[2 * page : 2 * page + 2]
            faces = [{"image_id": image_id, "subject": subject} for image_id, (subject, _) in some]
            return self._answer(200, json.dumps({"faces": faces, "total_pages": 2}).encode())
        return self._answer(200, PHOTOS[path.split("/")[-2]][1])

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), CompreFace)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(url: str, folder: Path, key: str = KEY) -> subprocess.CompletedProcess[str]:
    environment = {"COMPREFACE_API_KEY": key}
    command = [sys.executable, str(SCRIPT), url, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_every_photo_lies_in_a_folder_named_after_its_subject(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for _ in range(2):  # the second time, nothing is downloaded
        finished = run(url, folder)
        assert finished.returncode == 0, finished.stderr
        assert "3 photos" in finished.stdout
        assert "1 were not saved by CompreFace" in finished.stdout
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.jpg")}
    assert found == {"Ada/id-1.jpg": b"one", "Ada/id-2.jpg": b"two", "..%2Fout%2Fof\\it/id-3.jpg": b"three"}
    assert not list(tmp_path.glob("out*"))


def test_a_wrong_key_and_another_service_are_said(url: str, tmp_path: Path) -> None:
    refused = run(url, tmp_path, "another")
    assert refused.returncode == 1
    assert "refuses the API key" in refused.stderr
    absent = run("http://127.0.0.1:9", tmp_path)
    assert absent.returncode == 1
    assert "does not answer as CompreFace does" in absent.stderr
