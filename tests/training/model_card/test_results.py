from pathlib import Path

import pytest

from training.data.errors import DataError
from training.model_card.results import Result, read_results, write_result


def make_result(recipe: str) -> Result:
    return Result(recipe, "data", "protocol", "accuracy", 0.9, 0.01, "command", "commit", "machine")


def test_written_results_are_read_in_the_order_of_their_recipes(tmp_path: Path) -> None:
    results = [make_result(recipe) for recipe in ("a", "b")]
    for result in reversed(results):
        write_result(result, tmp_path)
    assert read_results(tmp_path) == results
    assert read_results(tmp_path / "none") == []


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"recipe": "a"}'])
def test_a_damaged_result_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json is not the result of a recipe"):
        read_results(tmp_path)
