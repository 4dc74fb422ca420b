from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.detector.bundle import load_locator
from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator
from tests.support.training.detector_configs import small_landmark_config, small_locator_config
from training.config import ConfigError, matches_config
from training.detector.config import LANDMARK_CONFIG, LOCATOR_CONFIG, load_detector_config, load_landmark_config
from training.detector.export import load_trained_detector, make_golden_photo
from training.optimization.checkpoint import TrainingState
from training.optimization.distributed import ProcessGroup


def save_untrained_networks(runs: Path) -> None:
    torch.manual_seed(0)
    locator, refiner = small_locator_config(), small_landmark_config()
    for network, config in (
        (FaceLocator(locator.network.width), locator),
        (LandmarkRefiner(refiner.width), refiner),
    ):
        run = runs / config.name
        run.mkdir(parents=True)
        TrainingState(network, config, ProcessGroup()).save_checkpoint({"score": 1.0}, run)


def test_only_checkpoints_of_the_same_configs_are_exported(tmp_path: Path) -> None:
    config, landmarks = small_locator_config(), small_landmark_config()
    with pytest.raises(ConfigError, match="does not exist"):
        load_trained_detector(config, landmarks, tmp_path)
    save_untrained_networks(tmp_path)
    with pytest.raises(ConfigError, match=r"locator.*another config"):
        load_trained_detector(replace(config, version="2"), landmarks, tmp_path)
    with pytest.raises(ConfigError, match=r"landmarks.*another config"):
        load_trained_detector(config, replace(landmarks, version="2"), tmp_path)


def test_thresholds_may_change_after_the_training(tmp_path: Path) -> None:
    save_untrained_networks(tmp_path)
    config = small_locator_config()
    later = replace(config, scores=replace(config.scores, turned=0.02))
    trained = load_trained_detector(later, small_landmark_config(), tmp_path)
    assert trained.locator["history"] == trained.landmarks["history"] == [{"step": 0.0, "score": 1.0}]


def test_the_shipped_detector_matches_the_shipped_configs() -> None:
    metadata, config = load_locator().metadata, load_detector_config(LOCATOR_CONFIG)
    assert matches_config(metadata.training["config"], config)
    assert matches_config(metadata.training["landmarks"]["config"], load_landmark_config(LANDMARK_CONFIG))
    assert (metadata.least_score, metadata.last_score) == (config.scores.least, config.scores.last)
    assert (metadata.sure_score, metadata.turned_score) == (config.scores.sure, config.scores.turned)


def test_the_shipped_detector_finds_one_face_in_the_golden_photo() -> None:
    bundle = load_locator()
    np.testing.assert_array_equal(bundle.golden["photo"], make_golden_photo())
    assert bundle.golden["faces"].shape == (1, 15)
