from model.detector.factory import DetectorKind
from model.images import decode_image
from tests.support.training.detections import NO_FACES
from training.data.photos import Photo
from training.detector.photo_sets import PhotoSet
from training.detector.pseudo_labels import LabelledPhotos
from training.detector.report import SIDES, THREADS, measure_photo_sets, measure_times


def test_both_detectors_are_measured_on_every_photo_set(lfw: dict[str, Photo]) -> None:
    photos = tuple(list(lfw.values())[:3])
    without_labels = LabelledPhotos(photos, (NO_FACES,) * 3)
    lines = measure_photo_sets([PhotoSet("LFW", "no labels, so that every face is wrong", without_labels)])
    assert [line["detector"] for line in lines] == list(DetectorKind)
    for line in lines:
        assert line["photos"] == line["photos_with_a_face"] == 3
        assert line["false_positives"] >= 1


def test_every_size_is_timed_with_every_number_of_threads(lfw: dict[str, Photo]) -> None:
    photo = decode_image(next(iter(lfw.values())).read())
    lines = measure_times([photo], repeats=1)
    assert [(line["side"], line["threads"]) for line in lines] == [(side, n) for n in THREADS for side in SIDES]
    assert all(min(line["locator"], line["mtcnn_320"], line["mtcnn_640"]) > 0 for line in lines)
