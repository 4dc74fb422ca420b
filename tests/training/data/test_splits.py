from collections import Counter
from pathlib import Path

import pytest

from training.config import DataConfig, load_config
from training.data.photos import DataError, Photo, read_pairs
from training.data.splits import Split, person_numbers, rows_of, split_people
from training.experiment import CONFIGS


def lists(folder: Path, train: list[str], test: list[str]) -> DataConfig:
    for name, people in (("train.txt", train), ("test.txt", test)):
        (folder / name).write_text("\n".join([str(len(people)), *(f"{person}\t1" for person in people)]))
    return DataConfig("train.txt", "test.txt", validation_share=0.2, calibration_share=0.3, most_photos=10)


def test_the_parts_are_disjoint_and_complete_and_about_as_large_as_asked(tmp_path: Path) -> None:
    names = [f"person_{i}" for i in range(1000)]
    split = split_people(lists(tmp_path, names, ["stranger"]), tmp_path, Counter(names))
    assert split.training | split.validation | split.calibration == set(names)
    assert len(split.validation) == pytest.approx(200, abs=40)
    assert len(split.calibration) == pytest.approx(300, abs=45)


def test_a_person_stays_in_the_same_part_when_others_come(tmp_path: Path) -> None:
    few, many = [f"p{i}" for i in range(50)], [f"p{i}" for i in range(100)]
    first = split_people(lists(tmp_path, few, []), tmp_path, Counter(few))
    second = split_people(lists(tmp_path, many, []), tmp_path, Counter(many))
    assert first.calibration <= second.calibration
    assert first.training <= second.training


def test_somebody_with_very_many_photos_always_trains(tmp_path: Path) -> None:
    names = [f"p{i}" for i in range(50)]
    split = split_people(lists(tmp_path, names, []), tmp_path, Counter(dict.fromkeys(names, 11)))
    assert split.training == set(names)


def test_a_person_on_both_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must never cross"):
        split_people(lists(tmp_path, ["ada", "bob"], ["bob"]), tmp_path, Counter())


def test_a_list_that_miscounts_itself_is_refused(tmp_path: Path) -> None:
    config = lists(tmp_path, ["ada"], [])
    (tmp_path / "train.txt").write_text("2\nada\t1")
    with pytest.raises(DataError, match="states 2"):
        split_people(config, tmp_path, Counter())


def test_rows_and_numbers_of_people() -> None:
    people = ["b", "a", "b", "c"]
    assert rows_of(people, {"b", "c"}).tolist() == [0, 2, 3]
    assert person_numbers(people).tolist() == [1, 0, 1, 2]


# Omniglot's split has tests of its own.
OF_LFW = sorted(path for path in CONFIGS.glob("*.toml") if not path.stem.startswith("omniglot"))


@pytest.mark.parametrize("config", OF_LFW, ids=lambda path: path.stem)
def test_no_config_trains_or_selects_on_people_that_it_reports(
    config: Path, lfw_folder: Path, lfw: dict[str, Photo]
) -> None:
    photos_of = Counter(photo.person for photo in lfw.values())
    split = split_people(load_config(config).data, lfw_folder / "lfw", photos_of)  # refuses a crossing by itself
    assert split.training
    assert split.validation
    assert split.calibration or load_config(config).calibration.photos  # other people than LFW's calibrate
    reported = {
        name.split("/")[0]
        for pair in read_pairs(lfw_folder / "lfw" / "pairsDevTest.txt")
        for name in (pair.first, pair.second)
    }
    assert reported <= split.test


def test_the_split_class_itself_refuses_a_crossing() -> None:
    with pytest.raises(DataError, match="two parts"):
        Split(frozenset({"a"}), frozenset({"b"}), frozenset({"c"}), frozenset({"a"}))


def test_people_of_other_folders_train_and_nothing_else(tmp_path: Path) -> None:
    config = lists(tmp_path, [f"p{i}" for i in range(50)], ["x"])
    found = Counter(["more:p1", "more:x", *(f"p{i}" for i in range(50))])
    split = split_people(config, tmp_path, found)
    assert {"more:p1", "more:x"} <= split.training
    assert not any(":" in name for name in split.validation | split.calibration | split.test)
