from pathlib import Path

import pytest

from training.data.errors import DataError
from training.data.pairs import Pair, read_pair_folds, read_pair_list, read_pairs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pairs.txt"


def test_lfw_pairs_are_genuine_with_three_fields_and_impostor_with_four(path: Path) -> None:
    path.write_text("1\nAda_L\t1\t12\nAda_L\t3\tBob\t4\n")
    assert read_pairs(path) == [
        Pair("Ada_L/Ada_L_0001.jpg", "Ada_L/Ada_L_0012.jpg", same=True),
        Pair("Ada_L/Ada_L_0003.jpg", "Bob/Bob_0004.jpg", same=False),
    ]


def test_folds_of_lfw_pairs_have_as_many_pairs_of_each_kind_as_stated(path: Path) -> None:
    path.write_text("2\t1\nAda\t1\t2\nAda\t1\tBob\t1\nEve\t1\t2\nEve\t1\tBob\t2\n")
    assert [[pair.same for pair in fold] for fold in read_pair_folds(path)] == [[True, False], [True, False]]


def test_a_list_of_pairs_is_read_in_either_form(path: Path) -> None:
    path.write_text("ada/1.jpg\tada/2.png\t1\tx\nada/1.jpg\tbob/1.jpg\t0\ty\n")
    assert read_pair_list(path) == [
        [Pair("ada/1.jpg", "ada/2.png", same=True)],
        [Pair("ada/1.jpg", "bob/1.jpg", same=False)],
    ]
    path.write_text("1\nAda\t1\t2\nAda\t1\tBob\t3\n")
    assert read_pair_list(path) == [read_pairs(path)]
    path.write_text("1\t1\nAda\t1\t2\nAda\t1\tBob\t3\n")
    assert read_pair_list(path) == [read_pairs(path)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_accepted(path: Path, encoding: str) -> None:
    path.write_text("zoë/1.jpg\tzoë/2.jpg\t1\n", encoding=encoding)
    assert read_pair_list(path) == [[Pair("zoë/1.jpg", "zoë/2.jpg", same=True)]]


@pytest.mark.parametrize("line", ["ada/1.jpg\tada/2.jpg\tyes", "ada/1.jpg ada/2.jpg 1"])
def test_a_line_that_is_not_a_pair_is_an_error(path: Path, line: str) -> None:
    path.write_text(line)
    with pytest.raises(DataError, match="is not a pair"):
        read_pair_list(path)


@pytest.mark.parametrize("line", ["Ada_L", "Ada_L\tone\ttwo", "Ada_L\t1\tBob\ttwo"])
def test_a_line_that_is_not_a_pair_of_lfw_is_an_error(path: Path, line: str) -> None:
    path.write_text(f"1\n{line}\n")
    with pytest.raises(DataError, match="is not a pair"):
        read_pairs(path)


@pytest.mark.parametrize("content", ["", "\n", "1\t2\nAda\t1\t2\n", "ten\t300\nAda\t1\t2\n", "10\nAda\t1\t2\n"])
def test_folds_that_do_not_hold_the_stated_number_are_an_error(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(DataError, match=r"pairs\.txt"):
        read_pair_folds(path)


def test_an_empty_list_is_an_error(path: Path) -> None:
    path.write_text("\n")
    with pytest.raises(DataError, match="no pairs"):
        read_pair_list(path)
