from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.training.detector_configs import small_detector_config
from training.data.errors import DataError
from training.data.photos import Photo
from training.detector import splits
from training.detector.candidates import Candidates
from training.detector.config import DetectorConfig, SplitConfig
from training.detector.pseudo_labels import LabelledPhotos
from training.detector.splits import (
    LabelledSplit,
    load_candidates_of,
    load_labelled_split,
    split_other_photos,
    split_people,
    without_labels,
)

LISTS = SplitConfig("train.txt", "test.txt", validation_share=0.5)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for name, people in (("train.txt", [f"train{number}" for number in range(20)]), ("test.txt", ["test"])):
        (tmp_path / name).write_text("\n".join([str(len(people)), *(f"{person}\t1" for person in people)]))
    return tmp_path


@pytest.fixture
def config() -> DetectorConfig:
    config = small_detector_config()
    photos = replace(
        config.photos, faces=("portraits",), no_faces=("pets", "walls"), validation_share=0.4, test_share=0.5
    )
    return replace(config, photos=photos)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three hundred photos in each of three folders."""
    for folder in ("portraits", "pets", "walls"):
        (tmp_path / folder).mkdir()
        for number in range(300):
            (tmp_path / folder / f"{folder}{number}.jpg").write_text(f"{folder} {number}")
    return tmp_path


def test_a_share_of_the_training_people_validate(lists: Path) -> None:
    split = split_people(LISTS, lists)
    assert len(split.training) + len(split.validation) == 20
    assert 4 < len(split.validation) < 16
    assert split.test == {"test"}


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.txt"):
        split_people(LISTS, tmp_path)


def test_a_split_without_photos_of_a_part_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lfw = tmp_path / "lfw"
    for person in [*(f"train{number}" for number in range(20)), "test"]:
        (lfw / "lfw" / person).mkdir(parents=True)
        (lfw / "lfw" / person / "1.jpg").write_text(person)
    (lfw / "train.txt").write_text("\n".join(["20", *(f"train{number}\t1" for number in range(20))]))
    (lfw / "test.txt").write_text("1\ntest\t1")
    monkeypatch.setattr(splits, "pseudo_label", lambda photos, target: without_labels(photos))
    split = load_labelled_split(LISTS, tmp_path, tmp_path)
    parts = [{photo.person for photo in part.photos} for part in (split.training, split.validation, split.test)]
    assert parts == [set(each) for each in (lambda s: (s.training, s.validation, s.test))(split_people(LISTS, lfw))]
    (lfw / "test.txt").write_text("1\nsomebody\t1")
    with pytest.raises(DataError, match=r"do not show the people of train\.txt and test\.txt"):
        load_labelled_split(LISTS, tmp_path, tmp_path)


def test_other_photos_are_in_one_part_each_by_their_shares(config: DetectorConfig, data: Path) -> None:
    parts = split_other_photos(config, data)
    portraits = {part: {photo.name for photo in each.faces} for part, each in parts.items()}
    faceless = {part: {photo.name for photo in each.no_faces} for part, each in parts.items()}
    for sets, expected in (
        (portraits, {"training": 90, "validation": 60, "test": 150}),
        (faceless, {"training": 360, "validation": 240, "test": 0}),
    ):
        assert len(set.union(*sets.values())) == sum(len(each) for each in sets.values()) == sum(expected.values())
        for part, count in expected.items():
            assert len(sets[part]) == pytest.approx(count, abs=30 if count else 0)
    assert split_other_photos(config, data) == parts


def test_a_missing_folder_of_photos_is_named(
    config: DetectorConfig, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = replace(config, photos=replace(config.photos, no_faces=("pets", "nowhere")))
    with pytest.raises(DataError, match=r"nowhere does not exist\. docs/training\.md"):
        split_other_photos(wrong, data)
    (tmp_path / "here" / "data" / "nowhere").mkdir(parents=True)
    (tmp_path / "here" / "data" / "nowhere" / "a.jpg").write_text("a")
    monkeypatch.chdir(tmp_path / "here")  # ./data is looked into as well
    assert "a/a.jpg" in {photo.name for each in split_other_photos(wrong, data).values() for photo in each.no_faces}


def test_candidates_are_collected_once_for_the_same_photos(
    config: DetectorConfig, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = tmp_path / "person.jpg"
    person.write_text("a person")
    people = LabelledPhotos((Photo("a/person.jpg", person),), (np.zeros((0, 15), np.float32),))
    collected = []

    def collect(network: object, *photos: LabelledPhotos) -> Candidates:
        collected.append([len(each) for each in photos])
        count = len(collected)
        flags = np.ones(count, np.bool_)
        return Candidates(np.zeros((count, 2, 2, 3), np.uint8), np.zeros((count, 10), np.float32), flags, flags)

    monkeypatch.setattr(splits, "load_labelled_split", lambda *_: LabelledSplit(people, people, people))
    monkeypatch.setattr(splits, "load_yunet", lambda path: None)
    monkeypatch.setattr(splits, "collect_candidates", collect)
    build = tmp_path / "build"
    counts = [len(load_candidates_of(config, "training", data, build)) for _ in range(2)]
    assert counts == [1, 1]
    assert len(load_candidates_of(config, "validation", data, build)) == 2
    other = split_other_photos(config, data)
    assert collected == [[1, len(other[part].faces), len(other[part].no_faces)] for part in ("training", "validation")]
    person.write_text("another photo of the same name")
    assert len(load_candidates_of(config, "training", data, build)) == 3
