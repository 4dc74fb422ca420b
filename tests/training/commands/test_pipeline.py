from pathlib import Path

import pytest

from tests.support.training.commands import run


@pytest.mark.parametrize("command", ["prepare", "train", "export", "all"])
def test_a_missing_config_and_missing_data_are_reported(command: str) -> None:
    result = run(command, "--config", "no [config].toml")
    assert result.exit_code == 1
    assert "no [config].toml" in result.output
    result = run(command)
    assert result.exit_code == 1
    assert "FACETWIN_DATA" in result.output


@pytest.mark.parametrize("content", [b"name = [", b"\xff", b'name = "x"'])
def test_a_damaged_config_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.toml").write_bytes(content)
    result = run("train", "--config", tmp_path / "own.toml")
    assert result.exit_code == 1
    assert "own.toml" in result.output


@pytest.mark.parametrize("command", ["prepare", "train", "export"])
def test_a_data_folder_without_photos_is_reported(command: str, tmp_path: Path) -> None:
    result = run(command, "--data", tmp_path / "no [data]")
    assert result.exit_code == 1
    assert "no [data]" in result.output


def test_a_damaged_tar_is_reported(tmp_path: Path) -> None:
    (tmp_path / "lfw").mkdir()
    (tmp_path / "lfw" / "lfw.tar").write_bytes(b"not a tar" * 100)
    result = run("prepare", "--data", tmp_path)
    assert result.exit_code == 1
    assert "lfw.tar" in result.output
