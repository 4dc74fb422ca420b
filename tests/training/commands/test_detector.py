import math
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from model.detector.face_refiner import FaceRefiner
from tests.support.training.detector_configs import small_detector_config
from training.__main__ import app
from training.commands.detector import parse_scales, print_history, tabulate_selection
from training.data.errors import DataError
from training.detector.config import DETECTOR_CONFIG
from training.detector.export import make_golden_photo
from training.detector.selection_sets import SelectionSet
from training.detector.thresholds import SetMetrics
from training.optimization.checkpoint import TrainingState
from training.optimization.distributed import ProcessGroup


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
    for command in ("train", "export", "scores", "scales", "draw", "pictures", "report"):
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


def test_photos_of_one_name_are_refused_since_their_pictures_would_have_one_too(tmp_path: Path, portrait: Path) -> None:
    twin = tmp_path / "portrait.jpg"
    twin.write_bytes(portrait.read_bytes())
    code, output = run("draw", str(portrait), str(twin), "--target", str(tmp_path / "drawn"))
    assert code == 1
    assert "same name" in output
    assert not (tmp_path / "drawn").exists()


def test_a_name_that_is_no_picture_is_refused_before_the_work(tmp_path: Path) -> None:
    code, output = run("pictures", str(tmp_path / "sheet.txt"))
    assert code == 1
    assert "must end in .jpg" in output.replace("\n", " ")


def test_scales_are_positive_numbers() -> None:
    assert parse_scales("0.97,1, 1.03") == [0.97, 1.0, 1.03]
    for text in ("", "a", "1,,2", "0", "-1", "nan", "inf"):
        with pytest.raises(DataError, match="--scales"):
            parse_scales(text)


def test_a_config_with_an_impossible_value_is_refused_by_field(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(DETECTOR_CONFIG.read_text().replace("batch = 192", "batch = 0"))
    code, output = run("train", "--config", str(wrong))
    assert code == 1
    assert "batch" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("command", ["train", "export", "scores", "scales", "report"])
def test_photos_that_are_missing_are_reported_with_what_to_do(command: str) -> None:
    code, output = run(command)
    assert code == 1
    assert "LFW is not in" in output
    assert "FACETWIN_DATA" in output


def test_the_history_ends_with_the_place_of_the_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = small_detector_config()
    run_folder = tmp_path / config.name
    run_folder.mkdir()
    state = TrainingState(FaceRefiner(config.width), config, ProcessGroup())
    for score in (0.25, 0.5):
        state.save_checkpoint({"score": score}, run_folder)
    print_history(config, run_folder / "best.pt", "The title")
    printed = capsys.readouterr().out
    assert "The title" in printed
    assert "0.25" in printed
    assert str(run_folder / "best.pt") in printed


def test_the_selection_has_a_row_for_each_threshold() -> None:
    sets = [SelectionSet("crowds", True, 40, lambda: iter(())), SelectionSet("nobody", False, 90, lambda: iter(()))]
    metrics = [
        SetMetrics(name, score, count, lost, faces, recall)
        for name, count, recall in (("crowds", 40, 0.75), ("nobody", 90, math.nan))
        for score, lost, faces in ((0.5, 3, 50), (0.9, 7, 11))
    ]
    table = tabulate_selection(metrics, sets)
    assert [column.header for column in table.columns] == [
        "chance from",
        "crowds, 40: lost, recall",
        "false faces: nobody, 90",
    ]
    assert [list(column.cells) for column in table.columns] == [
        ["0.50", "0.90"],
        ["3, 75.0%", "7, 75.0%"],
        ["50", "11"],
    ]
