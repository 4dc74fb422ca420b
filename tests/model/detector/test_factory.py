import sys

import numpy as np
import pytest
from PIL import Image

from model.alignment import chip_template
from model.detector.factory import DetectorKind, open_detector
from model.face import FaceDetector
from model.images import decode_image
from model.pipeline import PhotoReader
from model.runtime.torchscript import BundleError
from model.selection import FaceSelection
from training.data.photos import Photo

PHOTO = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg"


@pytest.fixture(scope="module", params=list(DetectorKind))
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    return open_detector(request.param)


def test_landmarks_are_in_the_documented_order(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    face = detector.detect(decode_image(lfw[PHOTO].read()))[0]
    left_eye, right_eye, nose, mouth_left, mouth_right = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_a_face_is_the_same_in_a_large_photo_as_in_a_small_one(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    small = decode_image(lfw[PHOTO].read())
    large = np.array(Image.fromarray(small).resize((2000, 2000), Image.Resampling.BICUBIC))
    eye_distance = 8 * np.linalg.norm(detector.detect(small)[0].landmarks[1] - detector.detect(small)[0].landmarks[0])
    error = np.abs(detector.detect(large)[0].landmarks - 8 * detector.detect(small)[0].landmarks).max()
    assert error < 0.1 * eye_distance


@pytest.mark.parametrize("shape", [(1, 1), (30, 30), (1, 3000), (41, 5000)])
def test_tiny_and_narrow_images_have_no_face(detector: FaceDetector, shape: tuple[int, int]) -> None:
    assert detector.detect(np.full((*shape, 3), 128, np.uint8)) == []


def test_a_face_fills_the_same_crop_with_either_detector(lfw: dict[str, Photo]) -> None:
    photos = [lfw[name].read() for name in sorted(lfw)[::1000]]
    crops = []
    for kind in DetectorKind:
        reader = PhotoReader(open_detector(kind), chip_template(150), 150)
        crops.append([reader.read(photo, FaceSelection.CENTRAL).crop.astype(float) for photo in photos])
    for locator, mtcnn in zip(*crops, strict=True):
        shifted = np.roll(mtcnn, 8, axis=1)
        assert np.abs(locator - mtcnn).mean() < np.abs(locator - shifted).mean()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    monkeypatch.delitem(sys.modules, "model.detector.mtcnn", raising=False)
    with pytest.raises(BundleError, match=r"facetwin\[mtcnn\]"):
        open_detector(DetectorKind.MTCNN)
