from collections import Counter
from pathlib import Path

import pytest

from training.config import CONFIGS, DataConfig, load_config
from training.data.errors import DataError
from training.data.pairs import read_pairs
from training.data.photos import Photo
from training.data.splits import Split, label_people, select_rows, split_people


def write_lists(folder: Path, train: list[str], test: list[str]) -> DataConfig:
    for name, people in (("train.txt", train), ("test.txt", test)):
        (folder / name).write_text("\n".join([str(len(people)), *(f"{person}\t1" for person in people)]))
    return DataConfig("train.txt", "test.txt", validation_share=0.2, calibration_share=0.3, most_photos=10)


def test_the_parts_are_disjoint_and_have_about_the_configured_sizes(tmp_path: Path) -> None:
    names = [f"person_{i}" for i in range(1000)]
    split = split_people(write_lists(tmp_path, names, ["stranger"]), tmp_path, Counter(names))
    assert split.training | split.validation | split.calibration == set(names)
    assert len(split.validation) == pytest.approx(200, abs=40)
    assert len(split.calibration) == pytest.approx(300, abs=45)


def test_a_person_stays_in_the_same_part_when_people_are_added(tmp_path: Path) -> None:
    few, many = [f"p{i}" for i in range(50)], [f"p{i}" for i in range(100)]
    first = split_people(write_lists(tmp_path, few, []), tmp_path, Counter(few))
    second = split_people(write_lists(tmp_path, many, []), tmp_path, Counter(many))
    assert first.calibration <= second.calibration
    assert first.training <= second.training


def test_people_with_very_many_photos_always_train(tmp_path: Path) -> None:
    names = [f"p{i}" for i in range(50)]
    split = split_people(write_lists(tmp_path, names, []), tmp_path, Counter(dict.fromkeys(names, 11)))
    assert split.training == set(names)


def test_a_person_on_both_lists_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be disjoint"):
        split_people(write_lists(tmp_path, ["ada", "bob"], ["bob"]), tmp_path, Counter())


def test_a_list_that_does_not_hold_the_stated_number_is_an_error(tmp_path: Path) -> None:
    config = write_lists(tmp_path, ["ada"], [])
    (tmp_path / "train.txt").write_text("2\nada\t1")
    with pytest.raises(DataError, match="states 2"):
        split_people(config, tmp_path, Counter())


def test_rows_are_selected_and_people_labelled_by_name() -> None:
    people = ["b", "a", "b", "c"]
    assert select_rows(people, {"b", "c"}).tolist() == [0, 2, 3]
    assert label_people(people).tolist() == [1, 0, 1, 2]


LFW_CONFIGS = sorted(path for path in CONFIGS.glob("*.toml") if not path.stem.startswith("omniglot"))


@pytest.mark.parametrize("config", LFW_CONFIGS, ids=lambda path: path.stem)
def test_no_config_trains_or_validates_on_test_people(config: Path, lfw_folder: Path, lfw: dict[str, Photo]) -> None:
    photos_of = Counter(photo.person for photo in lfw.values())
    split = split_people(load_config(config).data, lfw_folder / "lfw", photos_of)
    assert split.training
    assert split.validation
    assert split.calibration or load_config(config).calibration.photos  # or other people calibrate
    reported = {
        name.split("/")[0]
        for pair in read_pairs(lfw_folder / "lfw" / "pairsDevTest.txt")
        for name in (pair.first, pair.second)
    }
    assert reported <= split.test


def test_a_split_whose_parts_overlap_is_an_error() -> None:
    with pytest.raises(DataError, match="two parts"):
        Split(frozenset({"a"}), frozenset({"b"}), frozenset({"c"}), frozenset({"a"}))


def test_people_of_other_folders_only_train(tmp_path: Path) -> None:
    config = write_lists(tmp_path, [f"p{i}" for i in range(50)], ["x"])
    found = Counter(["more:p1", "more:x", *(f"p{i}" for i in range(50))])
    split = split_people(config, tmp_path, found)
    assert {"more:p1", "more:x"} <= split.training
    assert not any(":" in name for name in split.validation | split.calibration | split.test)
