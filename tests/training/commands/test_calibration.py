import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from model.calibration import Recognizability
from model.encoder.bundle import find_bundle, load_bundle, update_metadata
from tests.support.training.commands import run
from training.config import CONFIGS


def test_calibrating_on_a_folder_writes_a_copy(album: Path, build: Path, tmp_path: Path) -> None:
    shipped = find_bundle("lfw")
    before = shipped.read_bytes()
    out = tmp_path / "new" / "mine.pt"
    result = run("calibrate", "--bundle", "lfw", "--photos", album, "--out", out, "--build", build)
    assert result.exit_code == 0, result.output
    assert "Equal error rate" in result.output
    assert "The default FMR changes from 0.01 to 0.0" in result.output
    assert "the lowest that these photos support" in result.output
    copy = load_bundle(out).metadata
    assert copy.name == "mine"
    assert copy.evaluation is None
    assert copy.encoder_id == load_bundle(shipped).metadata.encoder_id
    assert copy.calibration is not None
    assert copy.calibration.data == "album: 30 people, 60 photos, every pair"
    point = copy.calibration.points[0]
    assert point.genuine_pairs == 30
    assert point.impostor_pairs == 60 * 59 // 2 - 30
    assert point.fnmr_interval is not None
    assert point.fnmr_interval[0] <= point.fnmr <= point.fnmr_interval[1]
    assert f"{point.fnmr_interval[0]:.3f}..{point.fnmr_interval[1]:.3f}" in result.output
    assert (build / "plots" / "mine-det.png").is_file()
    assert shipped.read_bytes() == before


def test_calibrating_a_shipped_bundle_on_a_folder_needs_out(tmp_path: Path) -> None:
    shipped = find_bundle("lfw")
    before = shipped.read_bytes()
    for bundle in ([], ["--bundle", "lfw"], ["--bundle", shipped]):
        result = run("calibrate", *bundle, "--photos", "my album")
        assert result.exit_code == 1
        assert "lfw is a shipped bundle" in result.output
        assert "--bundle lfw --photos 'my album' --out lfw-calibrated.pt" in result.output
    assert shipped.read_bytes() == before


def test_a_bundle_of_ones_own_is_calibrated_in_place_and_keeps_its_floors(
    album: Path, build: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.pt"
    shutil.copy(find_bundle("lfw"), own)
    calibration = load_bundle(own).metadata.calibration
    assert calibration is not None
    floors = Recognizability(refused_below=0.4, doubtful_below=0.6, raised_by=0.05, usable_refused=0.004)
    update_metadata(load_bundle(own), calibration=replace(calibration, recognizability=floors))
    result = run("calibrate", "--bundle", own, "--photos", album, "--build", build)
    assert result.exit_code == 0, result.output
    metadata = load_bundle(own).metadata
    assert metadata.name == "lfw"
    assert metadata.evaluation is None
    assert metadata.calibration is not None
    assert metadata.calibration.data.startswith("album: ")
    assert metadata.calibration.recognizability == floors  # an album cannot measure them


def test_too_few_photos_are_refused(three_photos: Path, build: Path, tmp_path: Path) -> None:
    result = run("calibrate", "--photos", three_photos, "--out", tmp_path / "mine.pt", "--build", build)
    assert result.exit_code == 1
    assert "Too few photos to calibrate on" in result.output
    assert not (tmp_path / "mine.pt").exists()


def test_photos_without_a_face_are_refused(faceless: Path, build: Path, tmp_path: Path) -> None:
    result = run("calibrate", "--photos", faceless, "--out", tmp_path / "mine.pt", "--build", build)
    assert result.exit_code == 1
    assert "No face" in result.output


def test_a_missing_folder_is_reported_with_its_brackets(tmp_path: Path) -> None:
    result = run("calibrate", "--photos", tmp_path / "my [red]photos", "--out", "mine.pt")
    assert result.exit_code == 1
    assert f"{tmp_path / 'my [red]photos'} does not exist" in result.output


def test_the_configs_own_folder_must_exist(tmp_path: Path) -> None:
    result = run("calibrate", "--config", CONFIGS / "deploy.toml", "--data", tmp_path)
    assert result.exit_code == 1
    assert "training celeba" in result.output
    assert "--photos" in result.output


def test_missing_and_damaged_bundles_are_reported(tmp_path: Path) -> None:
    result = run("calibrate", "--bundle", "none [of these]", "--photos", tmp_path)
    assert result.exit_code == 1
    assert "There is no bundle 'none [of these]'" in result.output
    (tmp_path / "damaged.pt").write_bytes(find_bundle("lfw").read_bytes()[:1000])
    result = run("calibrate", "--bundle", "damaged.pt", "--photos", tmp_path)
    assert result.exit_code == 1
    assert "damaged.pt" in result.output


def test_out_must_be_a_file(tmp_path: Path) -> None:
    result = run("calibrate", "--photos", tmp_path, "--out", tmp_path)
    assert result.exit_code == 1
    assert f"{tmp_path} is a folder" in result.output


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "training.evaluation.plots", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("calibrate", "--photos", "album", "--out", "mine.pt")
    assert result.exit_code == 1
    assert "matplotlib is not installed. Install it with `pip install 'facetwin[train]'`." in result.output


def test_the_config_of_another_bundle_never_replaces_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "lfw").mkdir()
    shipped = find_bundle("deploy")
    before = shipped.read_bytes()
    result = run("calibrate", "--config", CONFIGS / "lfw_view2.toml", "--bundle", "deploy", "--data", tmp_path)
    assert result.exit_code == 1
    assert "deploy is a shipped bundle" in result.output
    assert shipped.read_bytes() == before
