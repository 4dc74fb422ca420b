"""face_recognition (dlib) on the same photos and cores, in an environment of its own."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from app.cores import count_cores
from training.data.photos import Photo

PEER_PYTHON: Final = Path(".venv-peers") / "bin" / "python"  # `make bench` creates it
SCRIPT: Final = Path(__file__).parent / "face_recognition_script.py"


def measure_face_recognition(photos: Sequence[Photo], seconds: float) -> dict[str, Any] | None:
    """Returns the pairs that face_recognition verifies per second with its defaults; None if it is not installed."""
    if not PEER_PYTHON.is_file():
        return None
    with TemporaryDirectory() as folder:
        files = []
        for number, photo in enumerate(photos):
            file = Path(folder) / f"{number}.jpg"
            file.write_bytes(photo.read())
            files.append(str(file))
        command = [str(PEER_PYTHON), str(SCRIPT), str(seconds), str(count_cores()), *files]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figures: dict[str, Any] = json.loads(output)
    return {**figures, "processes": count_cores()}
