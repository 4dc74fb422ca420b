from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.alignment import CHIP_SIZE, chip_template
from model.detector.bundle import DetectorBundle, load_detector
from model.detector.face_refiner import FaceRefiner
from tests.support.training.detector_configs import small_detector_config
from training.config import ConfigError, matches_config
from training.data.errors import DataError
from training.detector import export
from training.detector.config import DETECTOR_CONFIG, load_detector_config
from training.detector.export import export_detector, load_trained_detector, make_golden_crops, make_golden_photo
from training.detector.pseudo_labels import LabelledPhotos
from training.detector.reference_landmarks import scale_landmarks
from training.detector.splits import LabelledSplit, OtherPhotos
from training.optimization.checkpoint import TrainingState
from training.optimization.distributed import ProcessGroup

CONFIG = small_detector_config()


@pytest.fixture
def data(yunet_file: Path) -> Path:
    """The data folder, which holds YuNet's file."""
    return yunet_file.parents[1]


def save_untrained_refiner(runs: Path) -> None:
    torch.manual_seed(0)
    run = runs / CONFIG.name
    run.mkdir(parents=True)
    TrainingState(FaceRefiner(CONFIG.width), CONFIG, ProcessGroup()).save_checkpoint({"score": 1.0}, run)


def test_only_a_checkpoint_of_the_same_config_is_exported(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_trained_detector(CONFIG, data, tmp_path)
    save_untrained_refiner(tmp_path)
    with pytest.raises(ConfigError, match=r"detector.*another config"):
        load_trained_detector(replace(CONFIG, batch=CONFIG.batch + 1), data, tmp_path)
    with pytest.raises(DataError, match=r"nowhere\.onnx"):
        load_trained_detector(replace(CONFIG, yunet="nowhere.onnx"), data, tmp_path)


def test_thresholds_may_change_after_the_training(tmp_path: Path, data: Path) -> None:
    save_untrained_refiner(tmp_path)
    later = replace(CONFIG, scores=replace(CONFIG.scores, turned=0.5), alignment=replace(CONFIG.alignment, scale=2.0))
    trained = load_trained_detector(later, data, tmp_path)
    assert trained.checkpoint["history"] == [{"step": 0.0, "score": 1.0}]
    assert "encoder" not in trained.checkpoint
    assert not trained.network.training


def test_an_exported_detector_has_fitted_chances_and_reference_landmarks(
    tmp_path: Path, data: Path, labelled: LabelledPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_untrained_refiner(tmp_path / "build" / "runs")
    some = LabelledPhotos(labelled.photos[:3], labelled.faces[:3])
    other = OtherPhotos(labelled.photos[3:4], labelled.photos[4:5])
    monkeypatch.setattr(export, "load_labelled_split", lambda *_: LabelledSplit(some, some, some))
    monkeypatch.setattr(export, "split_other_photos", lambda *_: {"validation": other})
    # Of YuNet's score alone, three photos would fit a chance that is nowhere high.
    monkeypatch.setattr(export, "fit_score_weights", lambda scored: (2.0, 1.5, 0.5))
    target = tmp_path / "detector.pt"
    exported = export_detector(CONFIG, data, tmp_path / "build", target, "the command")
    loaded = load_detector(target)
    loaded.self_check()
    metadata = loaded.metadata
    assert metadata.detector_id == exported.metadata.detector_id
    assert metadata.score_weights == (2.0, 1.5, 0.5)
    scores = CONFIG.scores
    assert (metadata.least_score, metadata.sure_score, metadata.turned_score) == (
        scores.least,
        scores.sure,
        scores.turned,
    )
    expected = scale_landmarks(chip_template(CHIP_SIZE), CONFIG.alignment.scale)
    assert np.abs(np.array(metadata.reference_landmarks) - expected).max() < 12  # YuNet's own landmarks, of 150 pixels
    assert metadata.training["command"] == "the command"
    assert metadata.training["people"] == len({photo.person for photo in some.photos})
    assert matches_config(metadata.training["config"], CONFIG)


def test_the_shipped_detector_matches_the_shipped_config(shipped: DetectorBundle) -> None:
    metadata, config = shipped.metadata, load_detector_config(DETECTOR_CONFIG)
    assert (metadata.name, metadata.version) == (config.name, config.version)
    assert matches_config(metadata.training["config"], config)
    scores = config.scores
    assert (metadata.least_score, metadata.sure_score, metadata.turned_score) == (
        scores.least,
        scores.sure,
        scores.turned,
    )
    assert metadata.training["config"]["alignment"] == {"scale": config.alignment.scale}


def test_the_shipped_detector_finds_one_face_in_the_golden_photo(shipped: DetectorBundle) -> None:
    np.testing.assert_array_equal(shipped.golden["photo"], make_golden_photo())
    np.testing.assert_array_equal(shipped.golden["crops"], make_golden_crops(make_golden_photo()))
    assert shipped.golden["faces"].shape == (1, 15)
