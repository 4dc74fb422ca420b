import numpy as np
import pytest
from PIL import Image, ImageFilter

from model.alignment import chip_template
from model.detector.factory import open_detector
from model.face import Face
from model.pipeline import PhotoReader
from model.quality import LOW_QUALITY, Quality, assess_quality
from model.selection import FaceSelection
from tests.support.faces import project_face
from training.data.photos import Photo


def face(scale: float = 1.5) -> Face:
    return Face(np.zeros(4, np.float32), chip_template(96).astype(np.float32) * scale, 0.99)


def turned_face(yaw: float, pitch: float, roll: float = 0.0) -> Face:
    return Face(np.zeros(4, np.float32), project_face(yaw, pitch, roll).astype(np.float32), 0.99)


def textured(mean: int = 128, spread: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(mean, spread, (96, 96, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)


def only_reason(quality: Quality) -> str:
    assert quality.score < LOW_QUALITY
    (reason,) = quality.reasons
    assert len(quality.codes) == 1
    return reason


def test_a_sharp_frontal_and_well_lit_face_has_no_reasons() -> None:
    quality = assess_quality(face(), textured())
    assert quality.reasons == ()
    assert quality.score > 0.8


def test_the_measured_numbers_come_with_the_codes() -> None:
    crop = np.full((96, 96, 3), 12, np.uint8)
    crop[::2] = 16
    quality = assess_quality(face(scale=0.35), crop)
    assert quality.measures.inter_eye_distance == pytest.approx(12, abs=0.5)
    assert quality.measures.luminance_mean == pytest.approx(14)
    assert quality.measures.luminance_variance == pytest.approx(4)
    assert quality.measures.sharpness == pytest.approx(8)  # 4 x 16 - 2 x 16 - 2 x 12
    assert quality.codes == ("inter_eye_distance", "luminance_mean_low", "luminance_variance")
    assert len(quality.reasons) == 3


def test_a_small_face_is_reported_with_its_size() -> None:
    assert "is small (12 px between the eyes" in only_reason(assess_quality(face(scale=0.35), textured()))


def test_a_blurred_face_is_reported() -> None:
    blurred = np.array(Image.fromarray(textured(spread=90)).filter(ImageFilter.GaussianBlur(2.2)))
    stretched = ((blurred.astype(float) - 128) * 5 + 128).clip(0, 255).astype(np.uint8)
    smooth = np.array(Image.fromarray(stretched).resize((12, 12)).resize((96, 96), Image.Resampling.BICUBIC))
    assert "blurred" in only_reason(assess_quality(face(), smooth))


def test_a_dark_face_is_reported() -> None:
    assert "the photo is too dark" in assess_quality(face(), textured(mean=12, spread=30)).reasons


def test_an_overexposed_face_is_reported() -> None:
    assert "the photo is overexposed" in assess_quality(face(), textured(mean=250, spread=30)).reasons


@pytest.mark.parametrize("yaw", [38, -38])
def test_a_turned_face_is_reported_with_its_yaw(yaw: float) -> None:
    quality = assess_quality(turned_face(yaw, 0), textured())
    assert only_reason(quality) == f"the face is turned away from the camera (yaw {yaw} degrees)"


@pytest.mark.parametrize("pitch", [55, -55])
def test_a_face_that_looks_up_or_down_is_reported_with_its_pitch(pitch: float) -> None:
    quality = assess_quality(turned_face(0, pitch), textured())
    assert only_reason(quality) == f"the face looks up or down (pitch {pitch} degrees)"


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(12, 0, 0), (-12, 10, 0), (0, -30, 0), (0, 0, 150)])
def test_a_slightly_turned_or_tilted_face_has_no_reasons(yaw: float, pitch: float, roll: float) -> None:
    quality = assess_quality(turned_face(yaw, pitch, roll), textured())
    assert quality.reasons == ()
    assert quality.score > 0.8


def test_quality_contains_the_pose() -> None:
    pose = assess_quality(turned_face(20, -10, 30), textured()).pose
    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), (20, -10, 30), atol=0.01)


def test_at_most_a_fifth_of_press_photos_have_low_quality(lfw: dict[str, Photo]) -> None:
    reader = PhotoReader(open_detector(), chip_template(96), 96)
    names = sorted(lfw)[::400]
    low = sum(reader.read(lfw[name].read(), FaceSelection.CENTRAL).quality.score < LOW_QUALITY for name in names)
    assert low <= 0.2 * len(names)
