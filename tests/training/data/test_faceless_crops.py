import io
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.faceless_crops import CROPS_PER_PHOTO, crop_anywhere
from training.data.photos import Photo


def test_random_squares_of_each_photo_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)).save(stream, "PNG")
    (tmp_path / "a.png").write_bytes(stream.getvalue())
    photos = [Photo("a/a.png", tmp_path / "a.png")] * 2
    crops = crop_anywhere(photos, 32, seed=1)
    assert crops.shape == (2 * CROPS_PER_PHOTO, 32, 32, 3)
    assert np.array_equal(crops, crop_anywhere(photos, 32, seed=1))
    assert not np.array_equal(crops[0], crops[1])
