from pathlib import Path

import pytest

from training.data.celeba import Partition, arrange
from training.data.photos import DataError, find_photos


def celeba(folder: Path) -> tuple[Path, Path]:
    photos, identities = folder / "img", folder / "identity_CelebA.txt"
    photos.mkdir()
    for number in (1, 182_637, 182_638, 182_639, 202_599):
        (photos / f"{number:06d}.jpg").write_bytes(str(number).encode())
    identities.write_text("img label\n000001.jpg 7\n182637.jpg 8\n182638.jpg 9\n182639.jpg 9\n202599.jpg 10\n")
    return photos, identities


def test_only_the_test_partition_is_arranged_by_person(tmp_path: Path) -> None:
    photos, identities = celeba(tmp_path)
    target = tmp_path / "celeba"
    for _ in range(2):  # again changes nothing
        assert arrange(identities, [photos], Partition.TEST, target) == 3
    assert [photo.name for photo in find_photos(target)] == ["10/202599.jpg", "9/182638.jpg", "9/182639.jpg"]
    assert (target / "10" / "202599.jpg").read_text() == "202599"


def test_the_rest_is_arranged_apart_and_the_first_folder_counts(tmp_path: Path) -> None:
    photos, identities = celeba(tmp_path)
    better = tmp_path / "better"
    better.mkdir()
    (better / "000001.jpg").write_bytes(b"larger")
    target = tmp_path / "training"
    assert arrange(identities, [better, photos], Partition.TRAINING, target) == 2
    assert [photo.name for photo in find_photos(target)] == ["7/000001.jpg", "8/182637.jpg"]
    assert (target / "7" / "000001.jpg").read_bytes() == b"larger"


def test_a_file_that_nobody_is_named_for_is_an_error(tmp_path: Path) -> None:
    photos, identities = celeba(tmp_path)
    identities.write_text("182638.jpg 9\n")
    with pytest.raises(DataError, match=r"does not say who 182639\.jpg shows"):
        arrange(identities, [photos], Partition.TEST, tmp_path / "celeba")


def test_another_folder_or_a_missing_list_is_refused_in_words(tmp_path: Path) -> None:
    photos, identities = celeba(tmp_path)
    with pytest.raises(DataError, match="no file of CelebA's test partition"):
        arrange(identities, [tmp_path], Partition.TEST, tmp_path / "celeba")
    with pytest.raises(DataError, match="missing"):
        arrange(tmp_path / "none.txt", [photos], Partition.TEST, tmp_path / "celeba")
