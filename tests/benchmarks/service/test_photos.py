from pathlib import Path

import numpy as np

from benchmarks.service.photos import keep_recognizable
from model.pipeline import PhotoReader
from tests.support.fakes import CROP, RED, TEMPLATE, FakeDetector, FakeEncoder, calibration, picture
from training.data.photos import Photo


def test_photos_that_the_service_would_refuse_are_left_out(tmp_path: Path) -> None:
    photos = []
    for name, colour in (("clear", RED), ("dark", (20, 10, 10)), ("empty", (0, 0, 0))):
        (tmp_path / name).write_bytes(picture(colour))
        photos.append(Photo(name, tmp_path / name))
    reader = PhotoReader(FakeDetector(), np.array(TEMPLATE), CROP)
    kept = keep_recognizable(photos, reader, FakeEncoder(), calibration().recognizability)
    assert [photo.name for photo in kept] == ["clear"]
