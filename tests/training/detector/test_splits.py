from pathlib import Path

import pytest

from training.data.errors import DataError
from training.detector.config import SplitConfig
from training.detector.splits import split_people

CONFIG = SplitConfig("train.txt", "test.txt", validation_share=0.5)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for name, people in (("train.txt", [f"train{number}" for number in range(20)]), ("test.txt", ["test"])):
        (tmp_path / name).write_text("\n".join([str(len(people)), *(f"{person}\t1" for person in people)]))
    return tmp_path


def test_a_share_of_the_training_people_validate(lists: Path) -> None:
    split = split_people(CONFIG, lists)
    assert len(split.training) + len(split.validation) == 20
    assert 4 < len(split.validation) < 16
    assert split.test == {"test"}


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.txt"):
        split_people(CONFIG, tmp_path)
