import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from training.data.errors import DataError
from training.data.prepared_faces import PreparedFaces, load_prepared
from training.data.shards import hash_shards, pack_shards, unpack_shards
from training.data.splits import select_rows


@pytest.fixture
def packed(faces: PreparedFaces, tmp_path: Path) -> Path:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "people.txt").write_text("1\nt00\t4")
    rows = select_rows(faces.people, {"t00", "t01", "x00"})
    shards = pack_shards(faces, rows, lists, tmp_path / "packed", max_bytes=30_000)
    assert len(shards) > 1
    assert all(shard.stat().st_size <= 30_000 for shard in shards)
    return tmp_path / "packed"


def test_unpacked_faces_are_those_that_were_packed(faces: PreparedFaces, packed: Path, tmp_path: Path) -> None:
    unpacked = unpack_shards(packed, tmp_path / "there")
    rows = select_rows(faces.people, {"t00", "t01", "x00"})
    np.testing.assert_array_equal(unpacked.crops, faces.crops[rows])
    assert unpacked.names == tuple(faces.names[row] for row in rows)
    assert unpacked.missing == {"x00/x00_0009.jpg": "no face"}
    assert (unpacked.detector, unpacked.margin) == (faces.detector, faces.margin)
    assert (packed / "lfw" / "people.txt").is_file()


def test_the_hash_of_shards_depends_on_what_was_packed(faces: PreparedFaces, packed: Path, tmp_path: Path) -> None:
    pack_shards(faces, select_rows(faces.people, {"t00", "t01", "x00"}), tmp_path / "lists", tmp_path / "same", 30_000)
    pack_shards(faces, select_rows(faces.people, {"t00", "t01"}), tmp_path / "lists", tmp_path / "fewer", 30_000)
    assert hash_shards(tmp_path / "same") == hash_shards(packed)
    assert hash_shards(tmp_path / "fewer") != hash_shards(packed)
    with pytest.raises(DataError, match="training pack"):
        hash_shards(tmp_path / "nowhere")


def test_a_missing_shard_is_named(packed: Path, tmp_path: Path) -> None:
    lost = sorted(packed.glob("*.tar"))[1]
    lost.unlink()
    with pytest.raises(DataError, match=lost.name):
        unpack_shards(packed, tmp_path / "there")
    assert not (tmp_path / "there" / "index.json").exists()  # the folder does not count as complete


def test_pack_overwrites_nothing(faces: PreparedFaces, packed: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not empty"):
        pack_shards(faces, np.arange(2), tmp_path, packed, 30_000)


def test_a_folder_that_pack_did_not_write_is_an_error(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="training pack"):
        unpack_shards(tmp_path, tmp_path / "there")
    for content in ("", "[]", json.dumps({"names": []})):
        (packed / "index.json").write_text(content)
        with pytest.raises(DataError, match=r"index\.json is damaged"):
            unpack_shards(packed, tmp_path / "there")


def test_missing_crops_are_an_error(packed: Path, tmp_path: Path) -> None:
    with tarfile.open(min(packed.glob("*.tar")), "w"):
        pass  # empty
    with pytest.raises(DataError, match="lists 12"):
        unpack_shards(packed, tmp_path / "there")


@pytest.mark.parametrize("keep", [1000, 3000])  # bytes: the first crop is cut off, and another one
def test_a_truncated_shard_is_an_error(packed: Path, tmp_path: Path, keep: int) -> None:
    shard = min(packed.glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(DataError, match=f"{shard.name} is damaged"):
        unpack_shards(packed, tmp_path / "there")


def test_a_shard_of_another_pack_is_an_error(faces: PreparedFaces, packed: Path, tmp_path: Path) -> None:
    (shard, *_) = pack_shards(faces, np.array([200]), tmp_path / "lists", tmp_path / "other", 30_000)
    shard.rename(min(packed.glob("*.tar")))
    with pytest.raises(DataError, match=r"does not fit index\.json"):
        unpack_shards(packed, tmp_path / "there")


def test_a_damaged_shard_leaves_no_complete_folder_of_an_earlier_unpacking(packed: Path, tmp_path: Path) -> None:
    unpack_shards(packed, tmp_path / "there")
    shard = min(packed.glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(DataError, match="is damaged"):
        unpack_shards(packed, tmp_path / "there")
    with pytest.raises(DataError):
        load_prepared(tmp_path / "there")
