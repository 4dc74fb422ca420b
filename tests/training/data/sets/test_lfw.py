import sys
from pathlib import Path

import pytest

from training.data.errors import DataError
from training.data.sets.lfw import (
    PROTOCOL_MD5,
    download_lfw,
    find_data_folder,
    lfw_photo_name,
    lfw_photo_source,
    read_people,
    read_people_folds,
)


def test_the_data_folder_is_the_one_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_DATA", str(tmp_path))
    (tmp_path / "lfw").mkdir()
    assert find_data_folder() == tmp_path


def test_without_the_variable_the_data_folder_is_shared_or_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project" / "data" / "lfw").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("FACETWIN_DATA", raising=False)
    assert find_data_folder() == Path("data")
    (tmp_path / "shared" / "data" / "lfw").mkdir(parents=True)
    assert find_data_folder() == Path("../shared/data")


def test_without_data_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_DATA", str(tmp_path))
    with pytest.raises(DataError, match="make data"):
        find_data_folder()


def test_the_photos_are_in_the_tar_if_there_is_one(tmp_path: Path) -> None:
    assert lfw_photo_source(tmp_path) == tmp_path / "lfw" / "lfw"
    (tmp_path / "lfw").mkdir()
    (tmp_path / "lfw" / "lfw.tar").touch()
    assert lfw_photo_source(tmp_path) == tmp_path / "lfw" / "lfw.tar"


def test_photo_names_have_four_digits() -> None:
    assert lfw_photo_name("Ada_L", 12) == "Ada_L/Ada_L_0012.jpg"


def test_people_are_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text("2\nZoë\t1\nAda\t3\n", encoding=encoding)
        assert read_people(path) == ["Zoë", "Ada"]


def test_folds_of_people_are_read(tmp_path: Path) -> None:
    (tmp_path / "people.txt").write_text("2\n1\nAda\t1\n2\nBob\t1\nEve\t2\n")
    assert read_people_folds(tmp_path / "people.txt") == [["Ada"], ["Bob", "Eve"]]


@pytest.mark.parametrize("content", ["", "2\nAda\t1\n", "Ada\t1\nBob\t1\n"])
def test_a_malformed_list_of_people_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "people.txt").write_text(content)
    with pytest.raises(DataError, match=r"people\.txt"):
        read_people(tmp_path / "people.txt")


@pytest.mark.parametrize("content", ["", "2\n1\nAda\t1\n", "two\n1\nAda\t1\n", "1\none\nAda\t1\n", "1\n3\nAda\t1\n"])
def test_malformed_folds_of_people_are_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "people.txt").write_text(content)
    with pytest.raises(DataError, match=r"people\.txt"):
        read_people_folds(tmp_path / "people.txt")


def test_a_download_without_pooch_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataError, match=r"pip install 'facetwin\[train\]'"):
        download_lfw(tmp_path)


def test_a_file_that_cannot_be_fetched_can_be_saved_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pooch = pytest.importorskip("pooch")
    fetched: list[str] = []

    def retrieve(url: str, fname: str, **_: object) -> None:
        if fname == "people.txt":
            raise OSError("no network")
        fetched.append(fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataError, match=rf"people\.txt could not be fetched.*{PROTOCOL_MD5['people.txt']}"):
        download_lfw(tmp_path)
    assert fetched == ["lfw.tgz", "pairs.txt", "pairsDevTest.txt", "pairsDevTrain.txt"]
