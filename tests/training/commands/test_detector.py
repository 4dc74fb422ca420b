import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from training.__main__ import app
from training.commands.detector import parse_scales
from training.data.errors import DataError
from training.detector.config import LOCATOR_CONFIG
from training.detector.export import make_golden_photo


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["detector", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    Image.fromarray(make_golden_photo()).save(tmp_path / "portrait.png")
    return tmp_path / "portrait.png"


def test_the_help_names_the_commands() -> None:
    code, output = run("--help")
    assert code == 0
    for command in ("show", "train", "landmarks", "scores", "export", "scales", "draw", "pictures", "report"):
        assert command in output
        assert run(command, "--help")[0] == 0


def test_the_help_imports_no_torch() -> None:
    code = "import sys, training.commands.detector; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_config_is_named() -> None:
    code, output = run("train", "--config", "no/such[file].toml")
    assert code == 1
    assert "no/such[file].toml" in output
    assert "Traceback" not in output


def test_a_photo_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "a[1].jpg"
    damaged.write_bytes(b"not a photo")
    for photo in (damaged, tmp_path / "missing.jpg", tmp_path):
        code, output = run("draw", str(photo), "--target", str(tmp_path / "drawn"))
        assert code == 1
        assert str(photo) in output.replace("\n", "")
        assert "Traceback" not in output


def test_faces_are_drawn_onto_photos(tmp_path: Path, portrait: Path) -> None:
    code, output = run("draw", str(portrait), "--target", str(tmp_path / "drawn"), "--side", "100")
    assert code == 0
    assert "1 face" in output
    assert (tmp_path / "drawn" / f"{portrait.stem}.jpg").is_file()


@pytest.mark.parametrize("command", ["show", "pictures"])
def test_a_name_that_is_no_picture_is_refused_before_the_work(command: str, tmp_path: Path) -> None:
    code, output = run(command, str(tmp_path / "sheet.txt"))
    assert code == 1
    assert "must end in .jpg" in output.replace("\n", " ")


def test_scales_are_positive_numbers() -> None:
    assert parse_scales("0.97,1, 1.03") == [0.97, 1.0, 1.03]
    for text in ("", "a", "1,,2", "0", "-1", "nan", "inf"):
        with pytest.raises(DataError, match="--scales"):
            parse_scales(text)


def test_a_config_with_an_impossible_value_is_refused_by_field(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(LOCATOR_CONFIG.read_text().replace("batch = 32", "batch = 0"))
    code, output = run("train", "--config", str(wrong))
    assert code == 1
    assert "batch" in output
