from pathlib import Path

import pytest

from training.data.errors import DataError
from training.data.text import read_lines


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_blank_lines_and_a_byte_order_mark_are_left_out(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "list.txt").write_text("é 1\n\n  \nb 2\n", encoding=encoding)
    assert read_lines(tmp_path / "list.txt", "a list") == ["é 1", "b 2"]


def test_a_missing_list_says_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist\. It should be a list of people"):
        read_lines(tmp_path / "list.txt", "a list of people")


def test_a_folder_is_not_a_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_lines(tmp_path, "a list")


def test_another_encoding_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("é", encoding="utf-16")
    with pytest.raises(DataError, match="not UTF-8"):
        read_lines(tmp_path / "list.txt", "a list")
