"""Other libraries on the same photos and cores, each in an environment of its own."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from app.settings import cores
from training.data.photos import Photo

PEERS: Final = Path(".venv-peers") / "bin" / "python"  # made by `make bench`


def face_recognition_table(photos: Sequence[Photo], seconds: float) -> dict[str, Any] | None:
    """Pairs verified a second by face_recognition with its defaults; None where it is not installed."""
    if not PEERS.is_file():
        return None
    with TemporaryDirectory() as folder:
        files = []
        for number, photo in enumerate(photos):
            file = Path(folder) / f"{number}.jpg"
            file.write_bytes(photo.read())
            files.append(str(file))
        script = str(Path(__file__).parent / "peer_face_recognition.py")
        command = [str(PEERS), script, str(seconds), str(cores()), *files]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return {**found, "processes": cores()}
