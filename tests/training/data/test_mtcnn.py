import numpy as np
import pytest
from PIL import Image

from model.alignment import chip_template
from model.detector.factory import open_detector
from model.images import decode_image
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.crops import open_crop_detector
from training.data.mtcnn import MtcnnDetector
from training.data.photos import Photo

PHOTO = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg"


@pytest.fixture(scope="module")
def mtcnn() -> MtcnnDetector:
    return MtcnnDetector()


def test_landmarks_are_in_the_documented_order(mtcnn: MtcnnDetector, lfw: dict[str, Photo]) -> None:
    face = mtcnn.detect(decode_image(lfw[PHOTO].read()))[0]
    left_eye, right_eye, nose, mouth_left, mouth_right = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_faces_of_a_large_photo_are_in_its_pixels(mtcnn: MtcnnDetector, lfw: dict[str, Photo]) -> None:
    small = decode_image(lfw[PHOTO].read())
    large = np.array(Image.fromarray(small).resize((2000, 2000), Image.Resampling.BICUBIC))
    face, enlarged = mtcnn.detect(small)[0], mtcnn.detect(large)[0]
    eye_distance = 8 * np.linalg.norm(face.landmarks[1] - face.landmarks[0])
    assert np.abs(enlarged.landmarks - 8 * face.landmarks).max() < 0.1 * eye_distance


@pytest.mark.parametrize("shape", [(1, 1), (30, 30), (1, 3000), (41, 5000), (100, 100)])
def test_images_that_are_tiny_narrow_or_grey_have_no_face(mtcnn: MtcnnDetector, shape: tuple[int, int]) -> None:
    assert mtcnn.detect(np.full((*shape, 3), 128, np.uint8)) == []


def test_crops_are_made_by_the_detector_of_the_config() -> None:
    assert open_crop_detector("mtcnn").name == MtcnnDetector.name
    assert open_crop_detector("service").name == open_detector().name


def test_a_face_fills_the_same_crop_with_either_detector(lfw: dict[str, Photo]) -> None:
    photos = [lfw[name].read() for name in sorted(lfw)[::2000]]
    crops = []
    for detector in (open_crop_detector("service"), open_crop_detector("mtcnn")):
        reader = PhotoReader(detector, chip_template(150), 150)
        crops.append([reader.read(photo, FaceSelection.CENTRAL).crop.astype(float) for photo in photos])
    for service, mtcnn in zip(*crops, strict=True):
        shifted = np.roll(mtcnn, 8, axis=1)
        assert np.abs(service - mtcnn).mean() < np.abs(service - shifted).mean()
