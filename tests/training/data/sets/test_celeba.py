from pathlib import Path

import pytest

from training.data.errors import DataError
from training.data.photos import find_photos
from training.data.sets.celeba import Partition, arrange_by_person


def write_celeba(folder: Path) -> tuple[Path, Path]:
    photos, identities = folder / "img", folder / "identity_CelebA.txt"
    photos.mkdir()
    for number in (1, 182_637, 182_638, 182_639, 202_599):
        (photos / f"{number:06d}.jpg").write_bytes(str(number).encode())
    identities.write_text("img label\n000001.jpg 7\n182637.jpg 8\n182638.jpg 9\n182639.jpg 9\n202599.jpg 10\n")
    return photos, identities


def test_the_test_partition_is_arranged_by_person(tmp_path: Path) -> None:
    photos, identities = write_celeba(tmp_path)
    target = tmp_path / "celeba"
    for _ in range(2):  # a second time changes nothing
        assert arrange_by_person(identities, [photos], Partition.TEST, target) == 3
    assert [photo.name for photo in find_photos(target)] == ["10/202599.jpg", "9/182638.jpg", "9/182639.jpg"]
    assert (target / "10" / "202599.jpg").read_text() == "202599"


def test_the_training_partition_is_arranged_and_the_first_folder_counts(tmp_path: Path) -> None:
    photos, identities = write_celeba(tmp_path)
    better = tmp_path / "better"
    better.mkdir()
    (better / "000001.jpg").write_bytes(b"larger")
    target = tmp_path / "training"
    assert arrange_by_person(identities, [better, photos], Partition.TRAINING, target) == 2
    assert [photo.name for photo in find_photos(target)] == ["7/000001.jpg", "8/182637.jpg"]
    assert (target / "7" / "000001.jpg").read_bytes() == b"larger"


def test_a_photo_without_a_person_is_an_error(tmp_path: Path) -> None:
    photos, identities = write_celeba(tmp_path)
    identities.write_text("182638.jpg 9\n")
    with pytest.raises(DataError, match=r"does not name the person of 182639\.jpg"):
        arrange_by_person(identities, [photos], Partition.TEST, tmp_path / "celeba")


def test_missing_photos_or_a_missing_list_are_an_error(tmp_path: Path) -> None:
    photos, identities = write_celeba(tmp_path)
    with pytest.raises(DataError, match="no photo of CelebA's test partition"):
        arrange_by_person(identities, [tmp_path], Partition.TEST, tmp_path / "celeba")
    with pytest.raises(DataError, match="does not exist"):
        arrange_by_person(tmp_path / "none.txt", [photos], Partition.TEST, tmp_path / "celeba")


def test_a_list_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    photos, identities = write_celeba(tmp_path)
    identities.write_bytes(b"182638.jpg 9\xff\n")
    with pytest.raises(DataError, match="not UTF-8"):
        arrange_by_person(identities, [photos], Partition.TEST, tmp_path / "celeba")
