from pathlib import Path

import numpy as np
import pytest

from model.alignment import chip_template
from model.detector.orientation import open_detector
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from tests.support.fakes import encoded, landscape
from training.config import CropConfig
from training.data import crops as prepare_module
from training.data.crops import load_prepared, prepare
from training.data.photos import DataError, Photo, find_photos

CONFIG = CropConfig(size=64, margin=8, detector="locator")


@pytest.fixture(scope="module")
def photos(lfw: dict[str, Photo], tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    """Five people and a landscape, as a folder."""
    folder = tmp_path_factory.mktemp("photos")
    for name in sorted(lfw)[:5]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(lfw[name].read())
    (folder / "Nobody").mkdir()
    (folder / "Nobody" / "hills.jpg").write_bytes(encoded(landscape(), "JPEG"))
    (folder / "Nobody" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return find_photos(folder)


def test_crops_are_those_of_the_service_and_what_has_no_face_is_named(photos: list[Photo], tmp_path: Path) -> None:
    faces = prepare(photos, CONFIG, tmp_path, workers=1)
    assert set(faces.missing) == {"Nobody/hills.jpg", "Nobody/broken.jpg"}
    assert "No face" in faces.missing["Nobody/hills.jpg"]
    assert "damaged" in faces.missing["Nobody/broken.jpg"]
    reader = PhotoReader(open_detector(), chip_template(64), 64)
    served = [reader.read(photo.read(), FaceSelection.CENTRAL).crop for photo in photos if photo.name in faces.names]
    np.testing.assert_array_equal(faces.central(slice(None)), np.stack(served))


def test_what_is_prepared_already_is_not_done_again(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(photos, CONFIG, tmp_path, workers=1)
    monkeypatch.setattr(prepare_module, "ProcessPoolExecutor", None)  # nobody may be set to work
    second = prepare(photos, CONFIG, tmp_path, workers=1)
    assert first.names == second.names
    np.testing.assert_array_equal(first.crops, second.crops)


def test_an_interrupted_run_goes_on_with_the_parts_that_are_missing(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare_module, "PART", 3)
    whole = prepare(photos, CONFIG, tmp_path / "whole", workers=1)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(prepare_module, "_merge", fail)
        with pytest.raises(KeyboardInterrupt):
            prepare(photos, CONFIG, tmp_path / "cut", workers=1)
    parts = sorted((tmp_path / "cut" / "parts").glob("*.npz"))
    assert len(parts) == 3
    kept = parts[0].stat().st_mtime_ns
    parts[1].unlink()
    with monkeypatch.context() as watched:
        merge = prepare_module._merge

        def check(*given: object) -> object:
            assert parts[0].stat().st_mtime_ns == kept
            return merge(*given)  # type: ignore[arg-type]

        watched.setattr(prepare_module, "_merge", check)
        again = prepare(photos, CONFIG, tmp_path / "cut", workers=1)
    np.testing.assert_array_equal(again.crops, whole.crops)


def test_another_recipe_throws_the_old_parts_away(photos: list[Photo], tmp_path: Path) -> None:
    prepare(photos, CONFIG, tmp_path, workers=1)
    assert prepare(photos, CropConfig(size=48, margin=0), tmp_path, workers=1).crops.shape[1] == 48


def test_a_folder_without_prepared_faces_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="training prepare"):
        load_prepared(tmp_path)
