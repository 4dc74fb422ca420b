from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from model.detector import multi_scale
from model.detector.bundle import load_detector
from model.detector.levels import SMALLEST_EYE_DISTANCE, PhotoLevels
from model.detector.multi_scale import CERTAIN, FINER_PIXELS, MultiScaleDetector
from model.face import Face, FaceDetector
from model.images import decode_image
from training.data.photos import Photo

PHOTO = "Aaron_Peirsol/Aaron_Peirsol_0001.jpg"


class RecordingDetector(MultiScaleDetector):
    """Records the reductions at which photos are searched."""

    def __init__(self) -> None:
        super().__init__(load_detector())
        self.searches: list[list[int]] = []

    def score_candidates(self, photo: PhotoLevels, factors: list[int], least_score: float = 0.0) -> np.ndarray:
        self.searches.append(factors)
        return super().score_candidates(photo, factors, least_score)


@pytest.fixture(scope="module")
def shared_detector() -> RecordingDetector:
    return RecordingDetector()


@pytest.fixture
def detector(shared_detector: RecordingDetector) -> RecordingDetector:
    shared_detector.searches.clear()
    return shared_detector


def textured(width: int, height: int) -> Image.Image:
    """Returns a grey picture with soft stains and noise."""
    rng = np.random.default_rng(0)
    stains = Image.fromarray(rng.integers(70, 180, (height // 50, width // 50)).astype(np.uint8))
    light = np.array(stains.resize((width, height), Image.Resampling.BICUBIC)) + rng.normal(0, 6, (height, width))
    return Image.fromarray(light.clip(0, 255).astype(np.uint8)).convert("RGB")


def paste(
    picture: Image.Image, detector: FaceDetector, photo: Photo, eye_distance: float, place: tuple[int, int]
) -> np.ndarray:
    """Pastes a photo of LFW so that the eyes of its central face have this distance. Returns the landmarks (5, 2)."""
    pixels = decode_image(photo.read())
    landmarks = min((face.landmarks for face in detector.detect(pixels)), key=lambda x: np.abs(x - 125).mean())
    side = round(250 * eye_distance / float(np.linalg.norm(landmarks[1] - landmarks[0])))
    picture.paste(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS), place)
    return np.asarray(landmarks * (side / 250) + place)


def is_found(landmarks: np.ndarray, faces: Sequence[Face]) -> bool:
    """Whether a face has these landmarks, up to a fifth of the eye distance."""
    limit = 0.2 * np.linalg.norm(landmarks[1] - landmarks[0])
    return any(np.linalg.norm(face.landmarks - landmarks, axis=1).mean() < limit for face in faces)


def test_landmarks_are_in_the_documented_order(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    (face,) = detector.detect(decode_image(lfw[PHOTO].read()))
    left_eye, right_eye, nose, mouth_left, mouth_right = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
    left, top, right, bottom = face.box
    assert ((face.landmarks > [left, top]) & (face.landmarks < [right, bottom])).all()


@pytest.mark.parametrize("eye_distance", [20, 40, 80, 160, 320, 640])
def test_a_face_of_any_size_is_one_face_with_the_same_landmarks(
    detector: FaceDetector, lfw: dict[str, Photo], eye_distance: int
) -> None:
    picture = textured(4000, 3000)
    expected = paste(picture, detector, lfw[PHOTO], eye_distance, (61, 43))
    (face,) = detector.detect(np.array(picture))
    assert np.linalg.norm(face.landmarks - expected, axis=1).mean() < 0.1 * eye_distance


def test_the_smallest_face_is_found_beside_a_very_large_one(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    picture = textured(4000, 3000)
    large = paste(picture, detector, lfw[PHOTO], 400, (300, 300))  # the face is some 900 pixels high
    small = paste(picture, detector, lfw["Zico/Zico_0001.jpg"], SMALLEST_EYE_DISTANCE, (3300, 2100))
    faces = detector.detect(np.array(picture))
    assert is_found(large, faces)
    assert is_found(small, faces)
    assert len(faces) == 2


@pytest.mark.parametrize("reduced_by", [1, 2, 4])
def test_of_faces_of_the_smallest_size_nearly_all_are_found(
    detector: FaceDetector, lfw: dict[str, Photo], reduced_by: int
) -> None:
    # In a picture of this size, the finer search of photos without a sure face would not help.
    picture = textured(4000 // reduced_by, 3000 // reduced_by)
    cell = 240 // reduced_by
    names = sorted(lfw)[:: len(lfw) // 150][:150]
    expected = [
        paste(
            picture,
            detector,
            lfw[name],
            SMALLEST_EYE_DISTANCE / reduced_by,
            (number % 15 * cell + 30, number // 15 * cell + 30),
        )
        for number, name in enumerate(names)
    ]
    faces = detector.detect(np.array(picture), reduced_by)
    assert sum(is_found(landmarks, faces) for landmarks in expected) >= 0.95 * len(names)


def test_a_photo_with_a_sure_face_is_searched_once(detector: RecordingDetector, lfw: dict[str, Photo]) -> None:
    assert detector.detect(decode_image(lfw[PHOTO].read()))[0].score >= detector.sure_score
    assert detector.searches == [[2]]


def test_a_photo_without_a_sure_face_is_searched_again_at_twice_the_resolution(detector: RecordingDetector) -> None:
    assert detector.detect(np.full((480, 640, 3), 120, np.uint8)) == []
    assert detector.searches == [[4], [2]]


@pytest.mark.parametrize("size", [(1200, 1600), (2400, 3200), (3000, 4000), (300, 40_000)])
def test_the_finer_search_has_bounded_cost(detector: RecordingDetector, size: tuple[int, int]) -> None:
    detector.detect(np.full((*size, 3), 120, np.uint8))
    for (factor,) in detector.searches[1:]:
        assert size[0] * size[1] / factor**2 <= FINER_PIXELS


def test_scores_are_chances_in_falling_order_above_the_threshold(detector: FaceDetector, lfw: dict[str, Photo]) -> None:
    picture = textured(1500, 500)
    for number, name in enumerate((PHOTO, "Zico/Zico_0001.jpg", "AJ_Cook/AJ_Cook_0001.jpg")):
        paste(picture, detector, lfw[name], 50, (500 * number, 50))
    scores = [face.score for face in detector.detect(np.array(picture))]
    assert len(scores) >= 3
    assert scores == sorted(scores, reverse=True)
    assert load_detector().metadata.least_score <= scores[-1] <= scores[0] <= 1


def test_candidates_whose_landmarks_coincide_are_left_out(detector: MultiScaleDetector) -> None:
    candidate = np.full((1, 15), 50, np.float32)
    candidate[:, 4] = 0.99
    assert detector.refine(PhotoLevels(np.zeros((100, 100, 3), np.uint8)), candidate).shape == (0, 15)


def a_candidate(detector: MultiScaleDetector, photo: PhotoLevels) -> np.ndarray:
    """The best candidate (1, 15) of a photo, with YuNet's score."""
    return detector.find_candidates(photo, [2])[:1]


def test_landmarks_that_moved_far_are_refined_once_more(
    detector: MultiScaleDetector, lfw: dict[str, Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = PhotoLevels(decode_image(lfw[PHOTO].read()))
    candidate = a_candidate(detector, photo)
    expected = detector.refine(photo, candidate)[0, 5:].reshape(5, 2)
    eye_distance = np.linalg.norm(expected[1] - expected[0])
    wrong = candidate.copy()
    wrong[:, 5::2] += 0.25 * eye_distance
    twice = detector.refine(photo, wrong)[0, 5:].reshape(5, 2)
    monkeypatch.setattr(multi_scale, "MOVED", np.inf)
    once = detector.refine(photo, wrong)[0, 5:].reshape(5, 2)
    errors = [np.linalg.norm(each - expected, axis=1).mean() / eye_distance for each in (once, twice)]
    assert errors[1] < 0.5 * errors[0]


class CloseLooks(MultiScaleDetector):
    """Gives every candidate the same close look, and counts the candidates."""

    def __init__(self, logit: float) -> None:
        super().__init__(load_detector())
        self.logit, self.count = logit, 0

    def look_closely(self, photo: PhotoLevels, landmarks: np.ndarray) -> np.ndarray:
        self.count += len(landmarks)
        return np.full(len(landmarks), self.logit)


def test_only_a_doubtful_candidate_is_judged_by_a_close_look(
    detector: MultiScaleDetector, lfw: dict[str, Photo]
) -> None:
    photo = PhotoLevels(decode_image(lfw[PHOTO].read()))
    candidate = a_candidate(detector, photo)
    hopeful, hopeless = CloseLooks(10.0), CloseLooks(-10.0)
    for looks in (hopeful, hopeless):
        assert looks.refine(photo, candidate)[0, 4] >= CERTAIN
        assert looks.count == 0
    doubtful = candidate.copy()
    doubtful[:, 4] = 0.1  # YuNet's score
    assert hopeful.refine(photo, doubtful)[0, 4] > 0.9
    assert hopeless.refine(photo, doubtful)[0, 4] < 0.1
    assert hopeful.count == hopeless.count == 1


def test_a_candidate_that_is_hopeless_when_refined_is_left_out_without_a_close_look(
    detector: MultiScaleDetector, lfw: dict[str, Photo]
) -> None:
    candidate = a_candidate(detector, PhotoLevels(decode_image(lfw[PHOTO].read())))
    candidate[:, 4] = 0.03
    looks = CloseLooks(10.0)
    wall = PhotoLevels(np.full((250, 250, 3), 120, np.uint8))
    assert looks.refine(wall, candidate).shape == (0, 15)
    assert looks.count == 0
