from pathlib import Path

import numpy as np
import pytest

from tests.support.training.detector_configs import small_detector_config
from tests.support.training.photo_folders import save_photo, write_crowds, write_points
from training.data.errors import DataError
from training.data.photos import find_photos
from training.detector.metrics import REQUIRED_SCORE
from training.detector.photo_sets import (
    LANDMARK_POINTS,
    annotate,
    face_from_points,
    load_aflw,
    load_drivers,
    load_faceless_sets,
    load_photo_sets,
)
from training.detector.pseudo_labels import LabelledPhotos

CONFIG = small_detector_config()


def make_points(landmarks: list[list[int]]) -> np.ndarray:
    points = np.zeros((49, 2))
    for landmark, rows in zip(landmarks, LANDMARK_POINTS, strict=True):
        points[list(rows)] = landmark
    return points


def test_points_become_a_face_with_a_box() -> None:
    landmarks = [[100, 100], [160, 100], [130, 140], [105, 170], [155, 170]]
    face = face_from_points(make_points(landmarks))
    assert face[4] == 1.0
    np.testing.assert_allclose(face[5:].reshape(5, 2), landmarks)
    assert (face[:2] < 100).all()
    assert face[2] > 160
    assert face[3] > 170


@pytest.fixture
def annotated(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with one photo, and a folder for its points."""
    photos, points = tmp_path / "photos", tmp_path / "points"
    save_photo(photos / "a.jpg")
    points.mkdir()
    return photos, points


def test_annotated_photos_get_the_face_of_their_points(annotated: tuple[Path, Path]) -> None:
    photos, points = annotated
    landmarks = [[10, 10], [16, 10], [13, 14], [10, 17], [15, 17]]
    np.savetxt(points / "a.txt", make_points(landmarks))
    labels = annotate(find_photos(photos), points)
    assert [faces.shape for faces in labels.faces] == [(1, 15)]
    np.testing.assert_allclose(labels.faces[0][0, 5:].reshape(5, 2), landmarks)


@pytest.mark.parametrize("content", [None, "", "left right", "1 2\n3 4"])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_points_that_are_missing_or_malformed_are_named(annotated: tuple[Path, Path], content: str | None) -> None:
    photos, points = annotated
    if content is not None:
        (points / "a.txt").write_text(content)
    with pytest.raises(DataError, match=r"a\.txt.*49 lines"):
        annotate(find_photos(photos), points)


@pytest.fixture
def aflw(tmp_path: Path) -> Path:
    """Ten photos of ever more turned faces."""
    folder = tmp_path / "mtfl"
    write_points(folder, "new_testing.txt", [f"{number:04d}-image.jpg" for number in range(10)])
    return folder


def test_the_faces_of_aflw_have_the_points_of_its_list(aflw: Path) -> None:
    everybody, turned = load_aflw(aflw)
    assert (len(everybody.labels), len(turned.labels)) == (10, 2)
    first = everybody.labels.faces[0]
    assert first.shape == (1, 15)
    np.testing.assert_allclose(first[0, 5:].reshape(5, 2), [[20, 30], [60, 30], [40, 45], [32, 60], [48, 60]])
    assert first[0, 4] >= REQUIRED_SCORE
    assert everybody.labels.decode(0).shape == (20, 20, 3)
    assert [photo.name for photo in turned.labels.photos] == ["0008-image.jpg", "0009-image.jpg"]
    np.testing.assert_array_equal(turned.labels.faces[1], everybody.labels.faces[9])


@pytest.fixture
def drivers(tmp_path: Path) -> Path:
    """One driver, whose name has a blank at its end, as in the data set."""
    folder = tmp_path / "drivface"
    save_photo(folder / "DrivImages" / "DrivImages" / "driver_001 .jpg")
    rows = ["fileName,subject,imgNum,label,ang,xF,yF,wF,hF,xRE,yRE,xLE,yLE,xN,yN,xRM,yRM,xLM,yLM"]
    rows.append("driver_001 ,1,1,2,15,2,3,10,12,4,6,9,6,7,9,5,12,8,12")
    (folder / "drivPoints.txt").write_text("\n".join(rows) + "\n")
    return folder


def test_drivers_have_the_box_and_the_points_of_the_table(drivers: Path) -> None:
    labels = load_drivers(drivers)
    assert [photo.name for photo in labels.photos] == ["driver_001"]
    (face,) = labels.faces[0]
    np.testing.assert_allclose(face, [2, 3, 12, 15, 1, 4, 6, 9, 6, 7, 9, 5, 12, 8, 12])
    assert labels.decode(0).shape == (20, 20, 3)


def test_a_malformed_table_and_a_missing_driver_are_named(drivers: Path) -> None:
    table = drivers / "drivPoints.txt"
    whole = table.read_text()
    table.write_text(whole.replace("driver_001 ", "driver_002 "))
    with pytest.raises(DataError, match=r"driver_002 \.jpg does not exist"):
        load_drivers(drivers)
    table.write_text(whole.replace(",12\n", "\n"))
    with pytest.raises(DataError, match="a name and 18 numbers"):
        load_drivers(drivers)


@pytest.fixture
def crowds(tmp_path: Path) -> Path:
    return write_crowds(tmp_path / "wider-val")


def test_photos_that_show_people_are_left_out_where_a_list_says_so(tmp_path: Path) -> None:
    faceless = tmp_path / "faceless"
    for name in ("walls/a.jpg", "walls/b.jpg", "walls/c.jpg", "pets/d.jpg", "pets/e.jpg"):
        save_photo(faceless / name)
    (faceless / "walls" / "no_people.txt").write_text("a.jpg\nc.jpg\n")
    sets = load_faceless_sets(tmp_path)
    assert [each.name for each in sets] == ["pets", "walls"]
    shown = [[photo.file.name for photo in each.labels.photos] for each in sets]
    assert shown == [["d.jpg", "e.jpg"], ["a.jpg", "c.jpg"]]
    assert all(len(faces) == 0 for each in sets for faces in each.labels.faces)


def test_photos_without_people_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="data/faceless does not exist"):
        load_faceless_sets(tmp_path)
    save_photo(tmp_path / "data" / "faceless" / "pets" / "a.jpg")  # ./data is looked into as well
    assert [each.name for each in load_faceless_sets(tmp_path / "elsewhere")] == ["pets"]


@pytest.mark.usefixtures("aflw", "crowds", "drivers")
def test_only_the_sets_that_are_there_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lfw = LabelledPhotos((), ())
    names = [each.name for each in load_photo_sets(lfw, CONFIG, tmp_path, tmp_path)]
    assert names[:3] == ["LFW", "AFLW", "AFLW, the fifth turned most"]
    assert len(names) == 5
    assert names[3].startswith("DrivFace")
    assert names[4].startswith("WIDER FACE")
    assert [each.name for each in load_photo_sets(lfw, CONFIG, tmp_path / "nowhere", tmp_path)] == ["LFW"]
