from pathlib import Path

import numpy as np
import pytest

from tests.support.training.detector_configs import small_detector_config
from tests.support.training.photo_folders import WIDER_LABELS, save_photo, write_points
from training.data.errors import DataError
from training.data.photos import Photo
from training.detector import selection_sets
from training.detector.photo_sets import load_faceless_sets, load_photo_sets
from training.detector.pseudo_labels import LabelledPhotos
from training.detector.selection_sets import (
    CUT_PIXELS,
    CUT_SIDE,
    cut_tightly,
    load_selection_sets,
    select_crowds,
    select_faceless,
    select_turned,
)
from training.detector.splits import LabelledSplit, OtherPhotos
from training.detector.wider_face import load_boxes

CONFIG = small_detector_config()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small sets; three pets and four people validate."""
    monkeypatch.chdir(tmp_path)
    entry = WIDER_LABELS[: WIDER_LABELS.index("0--Parade/empty")].removeprefix("0--Parade/crowd.jpg")
    names = [f"0--Parade/{number:02d}.jpg" for number in range(24)]
    for name in names:
        save_photo(tmp_path / "wider-val" / "images" / name)
    (tmp_path / "wider-val" / "labels.txt").write_text("".join(name + entry for name in names))
    write_points(tmp_path / "mtfl", "new_testing.txt", [f"test-{number}.jpg" for number in range(10)])
    training = [*(f"lfw-{number}.jpg" for number in range(4)), *(f"net-{number:02d}.jpg" for number in range(15))]
    write_points(tmp_path / "mtfl", "new_training.txt", training)
    for name in ("walls/a.jpg", "walls/b.jpg"):
        save_photo(tmp_path / "faceless" / name)
    for name in ("walls/b.jpg", "walls/c.jpg", "floors/a.jpg"):
        save_photo(tmp_path / "faceless-selection" / name)
    pets = []
    for number in range(3):
        save_photo(tmp_path / "pets" / f"{number}.jpg")
        pets.append(Photo(f"{number}/{number}.jpg", tmp_path / "pets" / f"{number}.jpg"))
    other = {"validation": OtherPhotos((), tuple(pets))}
    monkeypatch.setattr(selection_sets, "split_other_photos", lambda *_: other)
    for number in range(4):
        save_photo(tmp_path / "lfw" / f"{number}.jpg")
    photos = tuple(Photo(f"{number}/{number}.jpg", tmp_path / "lfw" / f"{number}.jpg") for number in range(4))
    people, nobody = LabelledPhotos(photos, (np.ones((1, 15), np.float32),) * 4), LabelledPhotos((), ())
    monkeypatch.setattr(selection_sets, "load_labelled_split", lambda *_: LabelledSplit(nobody, people, nobody))
    return tmp_path


def files(photos: LabelledPhotos) -> set[Path]:
    return {photo.file for photo in photos.photos}


def test_no_crowd_turned_face_or_photo_without_people_is_in_the_report(data: Path) -> None:
    reported = [*load_photo_sets(LabelledPhotos((), ()), CONFIG, data, data), *load_faceless_sets(data)]
    in_report = set().union(*(files(each.labels) for each in reported))
    assert {path.parts[-2] for path in in_report} == {"0--Parade", "mtfl", "walls"}  # each kind is compared
    chosen = [select_crowds(data / "wider-val"), select_turned(data / "mtfl"), select_faceless(CONFIG, data)]
    assert [len(each) for each in chosen] == [3, 2, 5]
    for each in chosen:
        assert not files(each) & in_report


def test_the_crowds_keep_their_boxes(data: Path) -> None:
    crowds, everything = select_crowds(data / "wider-val"), load_boxes(data / "wider-val")
    assert [photo.name for photo in crowds.photos] == [f"0--Parade/{number:02d}.jpg" for number in (2, 10, 18)]
    np.testing.assert_array_equal(crowds.faces[1], everything.faces[10])


def test_the_most_turned_faces_are_chosen_without_lfw(data: Path) -> None:
    assert [photo.name for photo in select_turned(data / "mtfl").photos] == ["net-12.jpg", "net-14.jpg"]


def test_a_photo_that_the_report_has_by_the_same_name_is_left_out(data: Path) -> None:
    names = sorted("/".join(photo.file.parts[-2:]) for photo in select_faceless(CONFIG, data).photos)
    assert names == ["floors/a.jpg", "pets/0.jpg", "pets/1.jpg", "pets/2.jpg", "walls/c.jpg"]


def test_photos_without_people_are_needed(data: Path) -> None:
    (data / "faceless-selection").rename(data / "elsewhere")
    with pytest.raises(DataError, match="data/faceless-selection does not exist"):
        select_faceless(CONFIG, data)


def test_every_set_yields_as_many_photos_as_it_says(data: Path) -> None:
    sets = load_selection_sets(CONFIG, data, data)
    people = {each.name: each.has_people for each in sets}
    assert people == {
        "crowds": True,
        "turned": True,
        "turned, cut tightly": True,
        "LFW": True,
        "nobody": False,
        "drawn faces": False,
    }
    for each in sets:
        if each.name.startswith("turned"):  # its photos here are smaller than the faces in them
            continue
        samples = list(each.samples())
        assert len(samples) == each.count
        assert all(image.dtype == np.uint8 and faces.shape[1:] == (15,) for image, faces in samples)
        assert any(len(faces) for _, faces in samples) == each.has_people


def test_sets_with_people_that_are_missing_are_left_out(data: Path) -> None:
    for name in ("wider-val", "mtfl"):
        (data / name).rename(data / f"no-{name}")
    assert [each.name for each in load_selection_sets(CONFIG, data, data)] == ["LFW", "nobody", "drawn faces"]


def test_a_tight_cut_shows_the_face_and_little_else() -> None:
    landmarks = np.array([[90, 90], [110, 90], [100, 100], [92, 110], [108, 110]], np.float64)
    image = np.zeros((200, 300, 3), np.uint8)
    for x, y in landmarks.astype(int):
        image[y - 2 : y + 2, x - 2 : x + 2] = 255
    cut, (face,) = cut_tightly(image, landmarks)
    assert cut.shape == (CUT_PIXELS, CUT_PIXELS, 3)
    points = face[5:].reshape(5, 2)
    spread = np.linalg.norm(points - points.mean(axis=0), axis=1).mean()
    assert CUT_PIXELS / spread == pytest.approx(CUT_SIDE, rel=0.05)
    assert all(cut[round(y), round(x)].min() > 128 for x, y in points.tolist())


def test_a_tight_cut_ends_where_the_photo_ends() -> None:
    landmarks = np.array([[0, 30], [20, 30], [10, 40], [2, 50], [18, 50]], np.float64)
    cut, (face,) = cut_tightly(np.zeros((200, 300, 3), np.uint8), landmarks)
    assert cut.shape[0] == CUT_PIXELS
    assert cut.shape[1] < 0.8 * CUT_PIXELS
    assert face[5] == pytest.approx(0, abs=0.1)
