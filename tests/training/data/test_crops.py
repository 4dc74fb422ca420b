import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from model.alignment import chip_template
from model.detector.factory import open_detector
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from tests.support.fakes import BLUE, GREEN, RED, FakeDetector, encoded, landscape, picture
from tests.support.training.pools import InProcessPool
from training.config import CropConfig
from training.data import crops as crops_module
from training.data.crops import prepare_crops, prepare_folder
from training.data.errors import DataError
from training.data.photos import Photo, find_photos

CONFIG = CropConfig(size=64, margin=8, detector="service")
BLACK = (0, 0, 0)  # without a face for the fake detector


@pytest.fixture
def fake_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops are prepared in this process, with a fake detector."""
    monkeypatch.setattr(crops_module, "open_crop_detector", lambda kind: FakeDetector())
    monkeypatch.setattr(crops_module, "ProcessPoolExecutor", InProcessPool)
    monkeypatch.setattr(crops_module, "_detector", None)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for name, colour in (("ada/1.png", RED), ("ada/2.png", BLACK), ("bob/1.png", GREEN), ("eve/1.png", BLUE)):
        photo = tmp_path / "album" / name
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(picture(colour))
    return tmp_path / "album"


def forbid_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops_module, "ProcessPoolExecutor", None)


def test_crops_are_those_of_the_service_and_photos_without_a_face_are_listed(
    lfw: dict[str, Photo], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    for name in sorted(lfw)[:5]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(lfw[name].read())
    (folder / "Nobody").mkdir()
    (folder / "Nobody" / "hills.jpg").write_bytes(encoded(landscape(), "JPEG"))
    (folder / "Nobody" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    photos = find_photos(folder)
    faces = prepare_crops(photos, CONFIG, tmp_path / "build", "album", workers=1)
    assert set(faces.missing) == {"Nobody/hills.jpg", "Nobody/broken.jpg"}
    assert "No face" in faces.missing["Nobody/hills.jpg"]
    assert "damaged" in faces.missing["Nobody/broken.jpg"]
    reader = PhotoReader(open_detector(), chip_template(64), 64)
    served = [reader.read(photo.read(), FaceSelection.CENTRAL).crop for photo in photos if photo.name in faces.names]
    np.testing.assert_array_equal(faces.without_margin(slice(None)), np.stack(served))


@pytest.mark.usefixtures("fake_detector")
def test_the_same_photos_are_not_prepared_again(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare_folder(album, CropConfig(64, 0), tmp_path / "build")
    assert first.names == ("ada/1.png", "bob/1.png", "eve/1.png")
    copy = shutil.copytree(album, tmp_path / "elsewhere" / "album")  # other files with the same content
    forbid_work(monkeypatch)
    for folder in (album, copy):
        again = prepare_folder(folder, CropConfig(64, 0), tmp_path / "build")
        assert again.names == first.names
        np.testing.assert_array_equal(again.crops, first.crops)


@pytest.mark.usefixtures("fake_detector")
def test_a_replaced_photo_of_the_same_name_gives_new_crops(album: Path, tmp_path: Path) -> None:
    before = prepare_folder(album, CropConfig(64, 0), tmp_path / "build")
    (album / "bob" / "1.png").write_bytes(picture(BLUE))
    after = prepare_folder(album, CropConfig(64, 0), tmp_path / "build")
    assert after.names == before.names
    np.testing.assert_array_equal(after.crops[1], before.crops[2])
    assert not np.array_equal(after.crops[1], before.crops[1])


@pytest.mark.usefixtures("fake_detector")
def test_another_folder_of_the_same_name_does_not_reuse_crops(album: Path, tmp_path: Path) -> None:
    first = prepare_folder(album, CropConfig(64, 0), tmp_path / "build")
    other = shutil.copytree(album, tmp_path / "elsewhere" / "album")
    (other / "ada" / "1.png").write_bytes(picture(GREEN))
    second = prepare_folder(other, CropConfig(64, 0), tmp_path / "build")
    assert first.names == second.names
    assert not np.array_equal(first.crops, second.crops)
    np.testing.assert_array_equal(prepare_folder(album, CropConfig(64, 0), tmp_path / "build").crops, first.crops)


@pytest.mark.usefixtures("fake_detector")
@pytest.mark.parametrize("config", [CropConfig(64, 4, "service"), CropConfig(32, 8, "service")])
def test_other_crop_settings_do_not_reuse_crops(album: Path, tmp_path: Path, config: CropConfig) -> None:
    photos = find_photos(album)
    prepare_crops(photos, CONFIG, tmp_path, "album")
    assert prepare_crops(photos, config, tmp_path, "album").crops.shape[1] == config.stored_size


@pytest.mark.usefixtures("fake_detector")
def test_another_version_of_the_detector_does_not_reuse_crops(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_folder(album, CropConfig(64, 0), tmp_path / "build")
    monkeypatch.setattr(crops_module, "open_crop_detector", lambda kind: FakeDetector("fake-2"))
    assert prepare_folder(album, CropConfig(64, 0), tmp_path / "build").detector == "fake-2"


@pytest.mark.usefixtures("fake_detector")
def test_an_interrupted_run_resumes_with_the_missing_parts(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crops_module, "PHOTOS_PER_PART", 2)
    uninterrupted = prepare_folder(album, CropConfig(64, 0), tmp_path / "whole")
    parts = _interrupt(album, tmp_path / "cut", monkeypatch)
    assert len(parts) == 2
    parts[1].unlink()
    prepared: list[str] = []
    prepare_part = crops_module._prepare_part

    def record(photos: list[Photo], config: CropConfig, target: Path) -> None:
        prepared.extend(photo.name for photo in photos)
        prepare_part(photos, config, target)

    monkeypatch.setattr(crops_module, "_prepare_part", record)
    resumed = prepare_folder(album, CropConfig(64, 0), tmp_path / "cut")
    assert prepared == ["bob/1.png", "eve/1.png"]
    np.testing.assert_array_equal(resumed.crops, uninterrupted.crops)
    assert resumed.missing == uninterrupted.missing


@pytest.mark.usefixtures("fake_detector")
@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_a_damaged_part_is_named(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    (part,) = _interrupt(album, tmp_path, monkeypatch)
    part.write_bytes(part.read_bytes()[:size])
    with pytest.raises(DataError, match=r"00000\.npz is damaged\. Delete it"):
        prepare_folder(album, CropConfig(64, 0), tmp_path)


def _interrupt(album: Path, build: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Interrupts a run before the parts are merged; returns their paths."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(crops_module, "_merge_parts", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare_folder(album, CropConfig(64, 0), build)
    return sorted(build.glob("prepared/*/parts/*.npz"))


@pytest.mark.usefixtures("fake_detector")
def test_photos_without_any_face_are_an_error(album: Path, tmp_path: Path) -> None:
    for name in ("ada/1.png", "bob/1.png", "eve/1.png"):
        (album / name).write_bytes(picture(BLACK))
    for _ in range(2):  # also when the parts of the first run are there
        with pytest.raises(DataError, match=r"None of the 4 photos shows a face.*ada/1\.png"):
            prepare_folder(album, CropConfig(64, 0), tmp_path / "build")
