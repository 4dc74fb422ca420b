from pathlib import Path

import pytest

from training.data.errors import DataError
from training.data.sets.vggface2 import FILE, normalise, read_names, without_known_names

ROWS = "Class_ID, Name, Sample_Num, Flag, Gender\n" + "\n".join(
    ['n000001," ""14th_Dalai_Lama""",424,0, m', 'n000002," ""Renée_Zellweger""",3,1, f']
)


def test_names_are_compared_without_accents_case_and_punctuation(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(ROWS, encoding="utf-8")
    assert read_names(tmp_path) == {"14th dalai lama", "renee zellweger"}
    assert without_known_names(["Renee_Zellweger", "Ada_Lovelace"], tmp_path) == {"Ada_Lovelace"}
    assert normalise("Jean-Luc_O'Neil") == "jean luc o neil"


def test_a_missing_list_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"ox-vgg/vgg_face2"):
        read_names(tmp_path)
