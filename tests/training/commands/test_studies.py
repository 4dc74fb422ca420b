import pytest

from training.commands.studies import parse_folds
from training.data.photos import DataError


def test_folds_are_numbers_and_ranges() -> None:
    assert parse_folds("1-10") == set(range(1, 11))
    assert parse_folds("3,5") == {3, 5}
    assert parse_folds("1-2,9") == {1, 2, 9}


@pytest.mark.parametrize("text", ["", "0", "11", "1-", "-3", "a", "1-11", "2;3"])
def test_anything_else_is_refused_with_what_it_was(text: str) -> None:
    with pytest.raises(DataError, match="fold"):
        parse_folds(text)
