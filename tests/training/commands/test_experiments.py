from pathlib import Path

import pytest

from tests.support.training.commands import run
from training.commands.experiments import parse_folds
from training.data.errors import DataError


def test_folds_are_numbers_and_ranges() -> None:
    assert parse_folds("1-10") == set(range(1, 11))
    assert parse_folds("3,5") == {3, 5}
    assert parse_folds("1-2,9") == {1, 2, 9}


@pytest.mark.parametrize("text", ["", "0", "11", "1-", "-3", "a", "1-11", "2;3"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="fold"):
        parse_folds(text)


def test_view2_reports_wrong_folds_a_missing_bundle_and_missing_data(tmp_path: Path) -> None:
    for arguments, message in (
        (["--folds", "[1]"], "'[1]' names no folds"),
        (["--bundle", "none"], "There is no bundle 'none'"),
        (["--data", tmp_path / "no [data]"], "no [data]"),
    ):
        result = run("view2", *arguments)
        assert result.exit_code == 1
        assert message in result.output


def test_omniglot_reports_missing_and_damaged_files(tmp_path: Path) -> None:
    result = run("omniglot", "--data", tmp_path)
    assert result.exit_code == 1
    assert "all_runs.zip" in result.output
    (tmp_path / "omniglot").mkdir()
    (tmp_path / "omniglot" / "all_runs.zip").write_bytes(b"not a zip")
    result = run("omniglot", "--data", tmp_path)
    assert result.exit_code == 1
    assert "all_runs.zip" in result.output
