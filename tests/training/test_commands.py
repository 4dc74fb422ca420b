import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model.encoder.bundle import find_bundle, load_bundle
from training.__main__ import app
from training.config import load_config
from training.data.photos import DataError, Photo
from training.experiment import CONFIGS, Experiment


@pytest.fixture
def album(tmp_path: Path, lfw: dict[str, Photo]) -> Path:
    """Two photos each of thirty people, as somebody would have them in a folder."""
    by_person: dict[str, list[Photo]] = {}
    for photo in lfw.values():
        by_person.setdefault(photo.person, []).append(photo)
    several = [photos[:2] for photos in by_person.values() if len(photos) > 1][:30]
    for photo in (photo for photos in several for photo in photos):
        place = tmp_path / "album" / photo.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(photo.read())
    return tmp_path / "album"


def test_somebody_calibrates_on_their_own_people(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_DATA", str(tmp_path / "nowhere"))  # nobody needs LFW for that
    shipped = find_bundle("lfw")
    before = shipped.read_bytes()
    arguments = ["--bundle", "lfw", "--photos", str(album), "--out", str(tmp_path / "mine.pt")]
    places = ["--build", str(tmp_path / "build")]
    result = CliRunner().invoke(app, ["calibrate", *arguments, *places], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "Equal error rate" in result.output
    mine = load_bundle(tmp_path / "mine.pt")
    assert mine.metadata.encoder_id == load_bundle(shipped).metadata.encoder_id
    assert mine.metadata.calibration is not None
    assert mine.metadata.calibration.data == "album: 30 people, 60 photos, every pair"
    assert mine.metadata.calibration.points[0].genuine_pairs == 30
    assert mine.metadata.calibration.points[0].impostor_pairs == 60 * 59 // 2 - 30
    assert (tmp_path / "build" / "plots" / "mine-det.png").is_file()
    assert shipped.read_bytes() == before


def test_photos_to_calibrate_on_that_are_not_there_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = Experiment(load_config(CONFIGS / "deploy.toml"), tmp_path, tmp_path)
    with pytest.raises(DataError, match=r"training celeba.*--photos"):
        experiment.calibration_photos  # noqa: B018 - the property looks


def test_somebody_evaluates_on_their_own_pairs(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = sorted(path.relative_to(album).as_posix() for path in album.glob("*/*"))
    genuine = zip(photos[::2], photos[1::2], strict=True)
    impostor = zip(photos[::2], [*photos[3::2], photos[1]], strict=True)
    lines = [*(f"{a}\t{b}\t1" for a, b in genuine), *(f"{a}\t{b}\t0" for a, b in impostor)]
    (tmp_path / "pairs.tsv").write_text("\n".join(lines))
    monkeypatch.setenv("FACETWIN_DATA", str(tmp_path / "nowhere"))  # nobody needs LFW for that
    arguments = ["--bundle", "lfw", "--photos", str(album), "--pairs", str(tmp_path / "pairs.tsv")]
    places = ["--build", str(tmp_path / "build")]
    before = find_bundle("lfw").read_bytes()
    result = CliRunner().invoke(app, ["evaluate", *arguments, *places], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    target = tmp_path / "build" / "evaluations" / "lfw-album"
    report = json.loads((target / "report.json").read_text())
    assert report["listed_pairs"]["pairs"] == 60
    assert report["listed_pairs"]["accuracy_at_best_threshold_for_these_very_pairs"] > 0.7
    assert report["command"] == "python -m training evaluate --bundle lfw --photos album --pairs pairs.tsv"
    assert {path.name for path in target.iterdir()} == {"report.json", "roc.png", "det.png", "scores.png", "worst.html"}
    assert find_bundle("lfw").read_bytes() == before
