from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.alignment import CHIP_SIZE, chip_template
from model.detector.bundle import load_locator
from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator
from training.config import ConfigError, is_of
from training.detector.config import (
    CONFIG,
    LANDMARKS,
    DetectorConfig,
    LandmarkConfig,
    load_detector_config,
    load_landmark_config,
)
from training.detector.export import best_finder, fit_frame, golden_photo
from training.optimization.checkpoint import TrainingState
from training.optimization.distributed import Team


def faces(points: np.ndarray) -> np.ndarray:
    """A certain face with these landmarks, (1, 15)."""
    middle = points.mean(axis=0)
    return np.concatenate([middle - 40, middle + 40, [1.0], points.ravel()]).astype(np.float32)[None]


def test_the_frame_is_where_landmarks_lie_in_the_chips_of_those_taught() -> None:
    template = chip_template(CHIP_SIZE)
    moved = np.array([[1.0, 0], [0, 2.0], [-1, 0], [0, 0], [0, 0]])
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    taught, found = [], []
    for scale, shift in ((0.5, 30.0), (2.0, -7.0), (1.0, 0.0)):
        taught.append(faces(template @ turn.T * scale + shift))
        found.append(faces((template + moved) @ turn.T * scale + shift))
    np.testing.assert_allclose(fit_frame(found, taught), template + moved, atol=0.01)
    with pytest.raises(ValueError, match="no face"):
        fit_frame([found[0][:0]], [taught[0]])


@pytest.fixture
def config() -> DetectorConfig:
    shipped = load_detector_config(CONFIG)
    return replace(shipped, network=replace(shipped.network, width=0.25))


@pytest.fixture
def landmarks() -> LandmarkConfig:
    return replace(load_landmark_config(LANDMARKS), width=0.25)


def run_with(config: DetectorConfig, landmarks: LandmarkConfig, runs: Path) -> None:
    """Checkpoints of untrained networks."""
    torch.manual_seed(0)
    for network, trained in ((FaceLocator(0.25), config), (LandmarkRefiner(0.25), landmarks)):
        run = runs / trained.name
        run.mkdir(parents=True)
        TrainingState(network, trained, Team()).keep({"score": 1.0}, run)


def test_only_checkpoints_of_the_same_trainings_are_exported(
    config: DetectorConfig, landmarks: LandmarkConfig, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        best_finder(config, landmarks, tmp_path)
    run_with(config, landmarks, tmp_path)
    with pytest.raises(ConfigError, match=r"locator.*another config"):
        best_finder(replace(config, version="2"), landmarks, tmp_path)
    with pytest.raises(ConfigError, match=r"landmarks.*another config"):
        best_finder(config, replace(landmarks, version="2"), tmp_path)
    later = replace(config, scores=replace(config.scores, turned=0.02))  # chosen after the training
    trained = best_finder(later, landmarks, tmp_path)
    assert trained.locator["history"] == trained.landmarks["history"] == [{"step": 0.0, "score": 1.0}]


def test_the_shipped_detector_is_of_the_config_beside_it() -> None:
    metadata, config = load_locator().metadata, load_detector_config(CONFIG)
    assert is_of(metadata.training["config"], config)
    assert is_of(metadata.training["landmarks"]["config"], load_landmark_config(LANDMARKS))
    assert (metadata.least_score, metadata.last_score) == (config.scores.least, config.scores.last)
    assert (metadata.sure_score, metadata.turned_score) == (config.scores.sure, config.scores.turned)


def test_the_golden_photo_shows_one_face_to_the_shipped_detector() -> None:
    bundle = load_locator()
    np.testing.assert_array_equal(bundle.golden["photo"], golden_photo())
    assert bundle.golden["faces"].shape == (1, 15)
