import tarfile
from pathlib import Path

import numpy as np
import pytest

from training.data.crops import PreparedFaces
from training.data.photos import DataError
from training.data.shards import pack, unpack
from training.data.splits import rows_of


@pytest.fixture
def packed(faces: PreparedFaces, tmp_path: Path) -> Path:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "people.txt").write_text("1\nt00\t4")
    rows = rows_of(faces.people, {"t00", "t01", "x00"})
    shards = pack(faces, rows, lists, tmp_path / "packed", most_bytes=30_000)
    assert len(shards) > 1
    assert all(shard.stat().st_size <= 30_000 for shard in shards)
    return tmp_path / "packed"


def test_what_is_packed_arrives_bit_by_bit(faces: PreparedFaces, packed: Path, tmp_path: Path) -> None:
    arrived = unpack(packed, tmp_path / "there")
    rows = rows_of(faces.people, {"t00", "t01", "x00"})
    np.testing.assert_array_equal(arrived.crops, faces.crops[rows])
    assert arrived.names == tuple(faces.names[row] for row in rows)
    assert arrived.missing == {"x00/x00_0009.jpg": "no face"}
    assert (arrived.detector, arrived.margin) == (faces.detector, faces.margin)
    assert (packed / "lfw" / "people.txt").is_file()


def test_a_shard_that_was_left_behind_is_named(packed: Path, tmp_path: Path) -> None:
    lost = sorted(packed.glob("*.tar"))[1]
    lost.unlink()
    with pytest.raises(DataError, match=lost.name):
        unpack(packed, tmp_path / "there")
    assert not (tmp_path / "there" / "index.json").exists()  # nothing half-made passes for whole


def test_nothing_is_overwritten_and_another_folder_is_no_pack(
    faces: PreparedFaces, packed: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="not empty"):
        pack(faces, np.arange(2), tmp_path, packed, 30_000)
    with pytest.raises(DataError, match="training pack"):
        unpack(tmp_path, tmp_path / "there")


def test_a_shard_that_lacks_crops_is_noticed(packed: Path, tmp_path: Path) -> None:
    with tarfile.open(sorted(packed.glob("*.tar"))[0], "w"):
        pass  # empty
    with pytest.raises(DataError, match="and names 12"):
        unpack(packed, tmp_path / "there")
