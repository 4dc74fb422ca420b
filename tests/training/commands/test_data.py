import sys
from pathlib import Path

import pytest

from tests.support.training.commands import run


def test_downloading_without_pooch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    result = run("download")
    assert result.exit_code == 1
    assert "facetwin[train]" in result.output


def test_celeba_needs_its_list_of_identities(tmp_path: Path) -> None:
    result = run("celeba", "no [list].txt", tmp_path)
    assert result.exit_code == 1
    assert "no [list].txt" in result.output
    (tmp_path / "identities.txt").write_bytes(b"\xff")
    (tmp_path / "182638.jpg").touch()
    result = run("celeba", tmp_path / "identities.txt", tmp_path)
    assert result.exit_code == 1
    assert "identities.txt" in result.output


def test_packing_needs_prepared_crops(tmp_path: Path) -> None:
    result = run("pack", tmp_path / "shards", "--data", tmp_path)
    assert result.exit_code == 1
    assert str(tmp_path) in result.output


def test_unpacking_needs_shards(tmp_path: Path) -> None:
    result = run("unpack", tmp_path / "no [shards]")
    assert result.exit_code == 1
    assert "no [shards]" in result.output
