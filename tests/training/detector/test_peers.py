import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.detector.bundle import DetectorBundle
from model.detector.multi_scale import MultiScaleDetector
from model.face import Face
from model.images import decode_image
from tests.support.training.detections import make_face
from training.data.errors import DataError
from training.data.photos import Photo
from training.detector.metrics import landmark_error, pairwise_iou
from training.detector.peers import MTCNN, OPENCV, open_earlier, open_opencv, open_peers, peer_names, to_rows

Process = subprocess.Popen  # the class itself, before a test replaces it
FACTORY = """
def open_detector():
    return 7
"""
ORIENTATION = """
import numpy as np
class Face:
    def __init__(self, detector, image):
        self.box, self.score = np.array([*image.shape[:2], *image[0, 0, :2]], np.float32), detector
        self.landmarks = np.zeros((5, 2), np.float32)
def detect_any_orientation(detector, image):
    return [Face(detector, image)] * int(image[0, 0, 2])
"""


def test_opencv_and_the_shipped_detector_find_the_same_face(
    shipped: DetectorBundle, yunet_file: Path, lfw: dict[str, Photo]
) -> None:
    detector, opencv = MultiScaleDetector(shipped), open_opencv(yunet_file)
    for name in sorted(lfw)[:3]:
        image = decode_image(lfw[name].read())
        ours, theirs = to_rows(detector.detect(image)), opencv(image)
        assert ours.dtype == theirs.dtype == np.float32
        overlap = pairwise_iou(ours[:1, :4], theirs[:, :4])[0]
        best = theirs[overlap.argmax()]
        assert overlap.max() > 0.6
        assert 0.5 < best[4] <= 1
        assert np.abs(ours[0, 5:] - best[5:]).max() < 10  # of 250 pixels
        assert landmark_error(best, ours[0]) < 0.15


def test_a_photo_without_a_face_has_no_rows(yunet_file: Path) -> None:
    detect = open_opencv(yunet_file)
    assert detect(np.full((100, 140, 3), 128, np.uint8)).shape == (0, 15)
    assert to_rows([]).shape == (0, 15)


def test_rows_hold_box_score_and_landmarks() -> None:
    expected = make_face(50, 60, 40, 0.75)
    face = Face(expected[:4], expected[5:].reshape(5, 2), 0.75)
    np.testing.assert_array_equal(to_rows([face, face]), np.stack([expected, expected]))


def test_a_missing_file_of_yunet_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.onnx does not exist"):
        open_opencv(tmp_path / "nowhere.onnx")
    with pytest.raises(DataError, match=r"yunet.*onnx does not exist"):
        open_peers(tmp_path, None, (OPENCV,))


def test_only_the_named_peers_are_opened(tmp_path: Path, lfw: dict[str, Photo]) -> None:
    peers = open_peers(tmp_path, None, (MTCNN,))  # the folder holds no file of YuNet
    assert list(peers) == [MTCNN]
    assert peers[MTCNN](decode_image(lfw[min(lfw)].read())).shape[1] == 15


def test_an_earlier_version_is_a_peer_only_if_there_is_one(tmp_path: Path, yunet_file: Path) -> None:
    names = peer_names(None)
    assert peer_names(tmp_path) == (*names, "facetwin, earlier")
    assert tuple(open_peers(yunet_file.parents[1], None)) == names


@pytest.fixture
def _closed_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ends what `open_earlier` starts and closes its files, which otherwise live as long as this process."""
    opened: list[Any] = []

    def record(opener: Callable[..., Any]) -> Callable[..., Any]:
        def open_and_record(*arguments: object, **options: object) -> Any:
            opened.append(opener(*arguments, **options))
            return opened[-1]

        return open_and_record

    monkeypatch.setattr(subprocess, "Popen", record(subprocess.Popen))
    monkeypatch.setattr(tempfile, "TemporaryFile", record(tempfile.TemporaryFile))
    yield
    for each in opened:
        if isinstance(each, Process):
            each.stdout.close()  # type: ignore[union-attr]
            with contextlib.suppress(BrokenPipeError):
                each.stdin.close()  # type: ignore[union-attr]
            each.wait(10)
        else:
            each.close()


@pytest.fixture
def checkout(tmp_path: Path, _closed_processes: None) -> Path:
    """An earlier version whose faces tell which photo it got."""
    folder = tmp_path / "model" / "detector"
    folder.mkdir(parents=True)
    (folder / "factory.py").write_text(FACTORY)
    (folder / "orientation.py").write_text(ORIENTATION)
    return tmp_path


def test_an_earlier_version_gets_each_photo_and_returns_its_faces(checkout: Path) -> None:
    detect = open_earlier(checkout)
    for height, width, faces in ((3, 5, 2), (7, 4, 0), (4, 2, 1)):
        image = np.zeros((height, width, 3), np.uint8)
        image[0, 0] = (11, 13, faces)
        found = detect(image[:, :, :])
        assert found.shape == (faces, 15)
        assert found[:, :5].tolist() == [[height, width, 11, 13, 7]] * faces


def test_an_earlier_version_that_fails_is_named_with_its_error(checkout: Path, tmp_path: Path) -> None:
    (checkout / "model" / "detector" / "factory.py").write_text("raise ValueError('too old')")
    with pytest.raises(DataError, match=rf"{checkout.name} failed: ValueError: too old"):
        open_earlier(checkout)(np.zeros((300, 300, 3), np.uint8))
    with pytest.raises(DataError, match="empty is no checkout of facetwin"):
        open_earlier(tmp_path / "empty")
