from pathlib import Path

import numpy as np
import pytest

from training.data.errors import DataError
from training.data.prepared_faces import CROPS, INDEX, PreparedFaces, load_prepared, write_index

RECIPE = {"detector": "none", "margin": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / CROPS, np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3))
    write_index(tmp_path, RECIPE, ["ada/1.jpg", "bob/1.jpg"], {"bob/2.jpg": "no face"}, [[[1, 2]] * 5] * 2)
    return tmp_path


def test_what_was_written_is_loaded(folder: Path) -> None:
    faces = load_prepared(folder)
    assert faces.people == ["ada", "bob"]
    assert faces.missing == {"bob/2.jpg": "no face"}
    assert (faces.detector, faces.margin, faces.recipe) == ("none", 2, RECIPE)
    assert faces.landmarks.shape == (2, 5, 2)


def test_the_margin_is_cut_off_on_each_side() -> None:
    crops = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(1, 6, 6, 3)
    faces = PreparedFaces(("a/1.jpg",), crops, np.zeros((1, 5, 2), np.float32), {}, "none", margin=1)
    np.testing.assert_array_equal(faces.without_margin(np.array([0])), crops[:, 1:5, 1:5])


def test_a_folder_without_prepared_faces_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="training prepare"):
        load_prepared(tmp_path)


@pytest.mark.parametrize("file", [CROPS, INDEX])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x93NUMPY\x01\x00garbage"])
def test_a_damaged_file_is_an_error(folder: Path, file: str, content: bytes) -> None:
    (folder / file).write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        load_prepared(folder)


def test_missing_crops_are_an_error(folder: Path) -> None:
    (folder / CROPS).unlink()
    with pytest.raises(DataError, match="damaged"):
        load_prepared(folder)


def test_crops_and_index_must_have_the_same_length(folder: Path) -> None:
    write_index(folder, RECIPE, ["ada/1.jpg"], {}, [[[1, 2]] * 5])
    with pytest.raises(DataError, match="do not belong together"):
        load_prepared(folder)
