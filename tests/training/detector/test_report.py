import numpy as np

from model.detector.orientation import DetectorKind
from training.data.photos import Photo
from training.detector.photo_sets import Source
from training.detector.pseudo_labels import FACE, TaughtPhotos
from training.detector.report import SIDES, THREADS, report_sources, report_times


def test_both_detectors_are_measured_on_every_source(lfw: dict[str, Photo]) -> None:
    photos = tuple(list(lfw.values())[:3])
    nobody = np.zeros((0, FACE), np.float32)
    lines = report_sources([Source("LFW", "nobody, to be wrong", TaughtPhotos(photos, (nobody,) * 3))])
    assert [line["detector"] for line in lines] == list(DetectorKind)
    for line in lines:
        assert line["photos"] == line["photos_with_a_face"] == 3
        assert line["false_positives"] >= 1


def test_every_size_is_timed_with_every_number_of_threads(lfw: dict[str, Photo]) -> None:
    photos = TaughtPhotos(tuple(lfw.values())[:1], ())
    lines = report_times([photos.pixels(0)], repeats=1)
    assert [(line["side"], line["threads"]) for line in lines] == [(s, t) for t in THREADS for s in SIDES]
    assert all(min(line["locator"], line["mtcnn_320"], line["mtcnn_640"]) > 0 for line in lines)
