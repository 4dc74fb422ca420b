import io
import tarfile
from pathlib import Path

import pytest

from training.data.photos import DataError, Pair, data_folder, find_photos, people_of_folder, read_pair_list, read_pairs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("bob/2.png", "ada/1.jpg", "ada/notes.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


def test_a_folder_and_its_tar_hold_the_same_photos(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(folder, "lfw")
    for source in (folder, tmp_path / "photos.tar"):
        photos = find_photos(source)
        assert [(photo.name, photo.person, photo.read()) for photo in photos] == [
            ("ada/1.jpg", "ada", b"ada/1.jpg"),
            ("bob/2.png", "bob", b"bob/2.png"),
        ]


def test_a_compressed_tar_says_to_extract_it(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a/b.jpg"), io.BytesIO())
    with pytest.raises(DataError, match="Extract it"):
        find_photos(tmp_path / "photos.tgz")


def test_a_place_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="NAME/photo"):
        find_photos(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        find_photos(tmp_path / "nowhere")


def test_pairs_of_both_forms(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("1\nAda_L\t1\t12\nAda_L\t3\tBob\t4\n")
    assert read_pairs(tmp_path / "pairs.txt") == [
        Pair("Ada_L/Ada_L_0001.jpg", "Ada_L/Ada_L_0012.jpg", same=True),
        Pair("Ada_L/Ada_L_0003.jpg", "Bob/Bob_0004.jpg", same=False),
    ]
    (tmp_path / "pairs.txt").write_text("1\nAda_L\n")
    with pytest.raises(DataError, match="is not a pair"):
        read_pairs(tmp_path / "pairs.txt")


def test_without_data_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_DATA", str(tmp_path))
    with pytest.raises(DataError, match="make data"):
        data_folder()


def test_a_flat_folder_holds_a_photo_of_each(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    assert [(photo.name, photo.person) for photo in find_photos(tmp_path)] == [("a/a.png", "a"), ("b/b.jpg", "b")]


def test_people_of_several_folders_stay_apart(folder: Path) -> None:
    assert [photo.person for photo in people_of_folder(folder)] == ["photos:ada", "photos:bob"]


def test_a_list_of_pairs_is_read_in_either_form(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("ada/1.jpg\tada/2.png\t1\tx\nada/1.jpg\tbob/1.jpg\t0\ty\n")
    assert read_pair_list(path) == [
        [Pair("ada/1.jpg", "ada/2.png", same=True)],
        [Pair("ada/1.jpg", "bob/1.jpg", same=False)],
    ]
    path.write_text("1\nAda\t1\t2\nAda\t1\tBob\t3\n")
    assert read_pair_list(path) == [read_pairs(path)]
    path.write_text("1\t1\nAda\t1\t2\nAda\t1\tBob\t3\n")
    assert read_pair_list(path) == [read_pairs(path)]
    for wrong in ("ada/1.jpg\tada/2.jpg\tyes", "ada/1.jpg ada/2.jpg 1"):
        path.write_text(wrong)
        with pytest.raises(DataError, match="not a pair"):
            read_pair_list(path)
    path.write_text("\n")
    with pytest.raises(DataError, match="no pairs"):
        read_pair_list(path)
