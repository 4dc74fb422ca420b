from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.training.textures import small_config
from training.config import CONFIGS, load_config
from training.data.errors import DataError
from training.data.prepared_faces import CROPS, PreparedFaces, write_index
from training.data.shards import pack_shards, unpack_shards
from training.experiment import Experiment


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two people's photos and lists."""
    for name in ("ada/ada_0001.jpg", "bob/bob_0001.jpg"):
        photo = tmp_path / "data" / "lfw" / "lfw" / name
        photo.parent.mkdir(parents=True)
        photo.write_bytes(name.encode())
    (tmp_path / "data" / "lfw" / "peopleDevTrain.txt").write_text("1\nada\t1\n")
    (tmp_path / "data" / "lfw" / "peopleDevTest.txt").write_text("1\nbob\t1\n")
    return tmp_path / "data"


def test_crops_of_replaced_photos_are_not_found(data: Path, tmp_path: Path) -> None:
    before = Experiment(small_config(), data, tmp_path).crops_folder
    assert Experiment(small_config(), data, tmp_path).crops_folder == before
    (data / "lfw" / "lfw" / "ada" / "ada_0001.jpg").write_bytes(b"another photo")
    experiment = Experiment(small_config(), data, tmp_path)
    assert experiment.crops_folder != before
    with pytest.raises(DataError, match="training prepare"):
        experiment.faces  # noqa: B018 - the property loads


def test_crops_of_another_detector_are_refused(data: Path, faces: PreparedFaces, tmp_path: Path) -> None:
    config = replace(small_config(), crops=replace(small_config().crops, detector="service"))
    experiment = Experiment(config, data, tmp_path)
    folder = experiment.crops_folder
    folder.mkdir(parents=True)
    np.save(folder / CROPS, faces.crops)
    recipe = {"detector": "detector-0-00000000", "alignment": "none", "size": 32, "margin": 4}
    write_index(folder, recipe, list(faces.names), {}, faces.landmarks.tolist())
    with pytest.raises(DataError, match=r"made by detector-0-00000000.*training prepare"):
        experiment.faces  # noqa: B018 - the property loads


def test_the_photos_of_other_folders_count_too(data: Path, tmp_path: Path) -> None:
    config = replace(small_config(), data=replace(small_config().data, more=("extra",)))
    experiment = Experiment(config, data, tmp_path)
    with pytest.raises(DataError, match="extra, which does not exist"):
        experiment.crops_folder  # noqa: B018 - the property reads the photos
    assert experiment.split.test == {"bob"}  # reports do not need the folder
    (data / "extra" / "eve").mkdir(parents=True)
    (data / "extra" / "eve" / "1.jpg").write_bytes(b"eve")
    experiment = Experiment(config, data, tmp_path)
    assert experiment.crops_folder.name.startswith("lfw+extra-32-4-mtcnn-")
    assert "extra:eve" in experiment.split.training


def test_unpacked_shards_train_without_photos(faces: PreparedFaces, data: Path, tmp_path: Path) -> None:
    pack_shards(faces, np.arange(len(faces.names)), data / "lfw", tmp_path / "shards", 1_000_000)
    experiment = Experiment(small_config(), tmp_path / "shards", tmp_path / "build")
    unpack_shards(tmp_path / "shards", experiment.crops_folder)
    np.testing.assert_array_equal(experiment.faces.crops, faces.crops)
    assert experiment.split.test == {"bob"}


def test_a_folder_with_neither_photos_nor_shards_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither LFW's photos"):
        Experiment(load_config(CONFIGS / "lfw.toml"), tmp_path, tmp_path).crops_folder  # noqa: B018
