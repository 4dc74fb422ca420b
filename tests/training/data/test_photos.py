import io
import tarfile
from pathlib import Path

import pytest

from training.data.errors import DataError
from training.data.photos import Photo, find_photos, find_prefixed_photos, hash_photos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("bob/2.png", "ada/1.jpg", "ada/notes.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


@pytest.fixture
def tar(folder: Path, tmp_path: Path) -> Path:
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(folder, "lfw")
    return tmp_path / "photos.tar"


def test_a_folder_and_its_tar_hold_the_same_photos(folder: Path, tar: Path) -> None:
    for source in (folder, tar):
        photos = find_photos(source)
        assert [(photo.name, photo.person, photo.read()) for photo in photos] == [
            ("ada/1.jpg", "ada", b"ada/1.jpg"),
            ("bob/2.png", "bob", b"bob/2.png"),
        ]


def test_a_flat_folder_holds_one_photo_of_each_person(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    assert [(photo.name, photo.person) for photo in find_photos(tmp_path)] == [("a/a.png", "a"), ("b/b.jpg", "b")]


def test_the_people_of_several_folders_stay_apart(folder: Path) -> None:
    assert [photo.person for photo in find_prefixed_photos(folder)] == ["photos:ada", "photos:bob"]


def test_a_compressed_tar_must_be_extracted(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a/b.jpg"), io.BytesIO())
    with pytest.raises(DataError, match="Extract it"):
        find_photos(tmp_path / "photos.tgz")


def test_a_truncated_tar_is_an_error(tar: Path) -> None:
    photos = find_photos(tar)
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(DataError, match="damaged"):
        find_photos(tar)
    with pytest.raises(DataError, match=r"ends inside bob/2\.png"):
        photos[-1].read()


def test_a_source_without_photos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="NAME/photo"):
        find_photos(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        find_photos(tmp_path / "nowhere")


def test_a_photo_that_has_disappeared_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg cannot be read"):
        Photo("ada/gone.jpg", tmp_path / "gone.jpg").read()


def test_the_hash_depends_on_names_and_content_alone(folder: Path, tar: Path) -> None:
    before = hash_photos(find_photos(folder))
    assert hash_photos(find_photos(tar)) == before
    (folder / "ada" / "1.jpg").touch()
    assert hash_photos(find_photos(folder)) == before
    (folder / "ada" / "1.jpg").write_bytes(b"ada/2.jpg")  # as many bytes
    replaced = hash_photos(find_photos(folder))
    assert replaced != before
    (folder / "ada" / "1.jpg").rename(folder / "ada" / "2.jpg")
    assert hash_photos(find_photos(folder)) not in {before, replaced}
