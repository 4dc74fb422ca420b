"""The detectors that the report compares: the shipped one, MTCNN, YuNet in OpenCV, an earlier version of facetwin."""

import atexit
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from model.detector.factory import open_detector
from model.detector.orientation import detect_any_orientation
from model.face import Face
from model.images import Pixels
from training.data.errors import DataError
from training.data.mtcnn import MtcnnDetector
from training.detector.metrics import Detections
from training.detector.pseudo_labels import FACE_VALUES
from training.detector.yunet_weights import YUNET_FILE

Detect = Callable[[Pixels], Detections]
OPENCV_SCORE: Final = 0.05  # low, so that the report can choose a threshold for each detector
SERVICE: Final = "facetwin"
MTCNN: Final = "mtcnn"
OPENCV: Final = "yunet, OpenCV"
EARLIER: Final = "facetwin, earlier"

# Runs in an earlier checkout. Photos come as length, height, width and pixels; faces go back as count and rows.
_EARLIER_SCRIPT: Final = """
import sys
import numpy as np
from model.detector.factory import open_detector
from model.detector.orientation import detect_any_orientation
detector = open_detector()
stream = sys.stdin.buffer
while header := stream.read(8):
    height, width = np.frombuffer(header, np.int32)
    image = np.frombuffer(stream.read(int(height) * int(width) * 3), np.uint8).reshape(height, width, 3).copy()
    faces = detect_any_orientation(detector, image)
    rows = np.array([[*f.box, f.score, *f.landmarks.ravel()] for f in faces], np.float32).reshape(-1, 15)
    sys.stdout.buffer.write(np.int32(len(rows)).tobytes() + rows.tobytes())
    sys.stdout.buffer.flush()
"""


def peer_names(earlier: Path | None) -> tuple[str, ...]:
    """The names of all peers; an earlier version is one of them if there is a checkout of it."""
    return (SERVICE, MTCNN, OPENCV) if earlier is None else (SERVICE, MTCNN, OPENCV, EARLIER)


def open_peers(data: Path, earlier: Path | None, names: Sequence[str] | None = None) -> Mapping[str, Detect]:
    """The detectors by name, all or those of `names`. `data` holds YuNet's file; `earlier` is a checkout of facetwin.

    Raises DataError if a file is missing, and BundleError if the shipped detector fails its check.
    """
    openers: dict[str, Callable[[], Detect]] = {
        SERVICE: _open_service,
        MTCNN: _open_mtcnn,
        OPENCV: lambda: open_opencv(data / "weights" / YUNET_FILE),
    }
    if earlier is not None:
        openers[EARLIER] = lambda: open_earlier(earlier)
    return {name: openers[name]() for name in names or openers}


def _open_service() -> Detect:
    detector = open_detector()
    return lambda image: to_rows(detect_any_orientation(detector, image))


def _open_mtcnn() -> Detect:
    detector = MtcnnDetector(min_face=20)
    return lambda image: to_rows(detector.detect(image))


def to_rows(faces: Sequence[Face]) -> Detections:
    """Faces as an array (F, 15)."""
    rows = [[*face.box, face.score, *face.landmarks.ravel()] for face in faces]
    return np.array(rows, np.float32).reshape(-1, FACE_VALUES)


def open_opencv(path: Path) -> Detect:
    """YuNet in OpenCV's own runtime, on the whole photo. Raises DataError if the file is missing."""
    if not path.is_file():
        raise DataError(f"{path} does not exist. Get {YUNET_FILE} from OpenCV Zoo.")
    network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), OPENCV_SCORE, 0.3, 5000)

    def detect(image: Pixels) -> Detections:
        network.setInputSize((image.shape[1], image.shape[0]))
        _, found = network.detect(np.ascontiguousarray(image[:, :, ::-1]))
        return _from_opencv(np.zeros((0, FACE_VALUES), np.float32) if found is None else found)

    return detect


def _from_opencv(found: NDArray[Any]) -> Detections:
    """From left, top, width, height, landmarks, score to (F, 15); both name the left of the image first."""
    boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1)
    return np.concatenate([boxes, found[:, 14:], found[:, 4:14]], axis=1).astype(np.float32)


def open_earlier(checkout: Path) -> Detect:
    """The detector of another checkout of facetwin, in a process of its own. Raises DataError if it does not start."""
    if not (checkout / "model" / "detector").is_dir():
        raise DataError(f"{checkout} is no checkout of facetwin. Make one with `git worktree add`.")
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    process = subprocess.Popen(  # noqa: S603 - our own code, at a path that the caller chose
        [sys.executable, "-W", "ignore", "-c", _EARLIER_SCRIPT],
        cwd=checkout,
        # One thread, as for the others: torch's threads get in each other's way on cores that are busy.
        env={"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    sending, receiving = process.stdin, process.stdout
    atexit.register(_stop, process, errors)

    def detect(image: Pixels) -> Detections:
        try:
            sending.write(np.array(image.shape[:2], np.int32).tobytes() + np.ascontiguousarray(image).tobytes())
            sending.flush()
        except BrokenPipeError as error:
            raise _failed(checkout, errors) from error
        header = receiving.read(4)
        if len(header) < 4:
            raise _failed(checkout, errors)
        (count,) = np.frombuffer(header, np.int32)
        rows = receiving.read(int(count) * FACE_VALUES * 4)
        return np.frombuffer(rows, np.float32).reshape(-1, FACE_VALUES).copy()

    return detect


def _stop(process: "subprocess.Popen[bytes]", errors: IO[bytes]) -> None:
    """Ends the process and closes what it used."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, errors):
        if stream is not None:
            stream.close()


def _failed(checkout: Path, errors: IO[bytes]) -> DataError:
    errors.seek(0)
    last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
    return DataError(f"The detector of {checkout} failed: {' '.join(last)}")
