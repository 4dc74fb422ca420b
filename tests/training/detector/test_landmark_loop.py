from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.alignment import similarity_transform
from tests.support.pictures import draw_spots
from tests.support.training.checkpoints import assert_same_weights
from tests.support.training.detector_configs import small_landmark_config
from training.config import ConfigError
from training.data.crops import template_with_margin
from training.data.errors import DataError
from training.data.prepared_faces import PreparedFaces
from training.detector.landmark_loop import crop_landmarks, make_batch, train_refiner

CONFIG = small_landmark_config()


@pytest.fixture
def spots() -> PreparedFaces:
    """Twelve crops with spots of light at the landmarks."""
    rng = np.random.default_rng(0)
    landmarks = (template_with_margin(CONFIG.crops) * 0.7 + rng.normal(0, 2, (12, 5, 2)) + 30).astype(np.float32)
    names = tuple(f"person{number % 6}/{number}.jpg" for number in range(12))
    dark = np.zeros((12, 1, 1, 3), np.uint8)
    in_crops = crop_landmarks(PreparedFaces(names, dark, landmarks, {}, "mtcnn", 0), CONFIG.crops)
    crops = np.stack([draw_spots(points.reshape(5, 2), CONFIG.crops.stored_size, radius=6) for points in in_crops])
    return PreparedFaces(names, crops, landmarks, {}, "mtcnn", CONFIG.crops.margin)


def test_landmarks_of_the_photo_are_mapped_into_the_crop(spots: PreparedFaces) -> None:
    template = template_with_margin(CONFIG.crops)
    for landmarks, mapped in zip(spots.landmarks, crop_landmarks(spots, CONFIG.crops), strict=True):
        linear = similarity_transform(landmarks, template)
        np.testing.assert_allclose(mapped.reshape(5, 2), landmarks @ linear[:, :2].T + linear[:, 2], atol=1e-3)
        assert np.linalg.det(similarity_transform(template, landmarks)[:, :2]) > 0


def test_landmarks_stay_in_place_when_crops_are_shrunk_and_mirrored() -> None:
    side = CONFIG.crops.stored_size
    crops = torch.zeros(40, side, side, 3, dtype=torch.uint8)
    crops[:, 60:68, 40:48] = 255  # the left eye is white
    crops[:, 60:68, 120:128, 0] = 255  # the right eye is red
    points = torch.tensor([[44.0, 64.0], [124.0, 64.0], [90.0, 100.0], [60.0, 130.0], [110.0, 130.0]])
    unperturbed = replace(CONFIG.guess, rotation=0.0, scale=0.0, shift=0.0, each=0.0)
    cases = set()
    for seed in range(6):
        batch = make_batch(crops, points.flatten().expand(40, -1), unperturbed, torch.Generator().manual_seed(seed))
        torch.testing.assert_close(batch.initial, batch.target)
        size = batch.pixels.shape[-1]
        for row in range(40):
            left, right = batch.target[row].view(5, 2)[:2].long()
            is_white = [batch.pixels[row, 1, eye[1], eye[0]].item() > 100 for eye in (left, right)]
            assert batch.pixels[row, 0, left[1], left[0]] > 200
            assert batch.pixels[row, 0, right[1], right[0]] > 200
            assert left[0] < right[0]
            assert sorted(is_white) == [False, True]
            cases.add((size, is_white[0]))
    assert {left_is_white for _, left_is_white in cases} == {False, True}  # False: mirrored
    assert len({size for size, _ in cases}) > 2


def test_initial_landmarks_are_as_wrong_as_the_config_says() -> None:
    crops = torch.zeros(500, 32, 32, 3, dtype=torch.uint8)
    points = torch.from_numpy(template_with_margin(CONFIG.crops)).float().flatten().expand(500, -1)
    independent = replace(CONFIG.guess, rotation=0.0, scale=0.0, shift=0.0, blocks=1)
    batch = make_batch(crops, points, independent, torch.Generator().manual_seed(0))
    assert batch.error(batch.initial).std().item() == pytest.approx(independent.each * np.exp(0.25), rel=0.15)
    assert batch.error(batch.target).abs().max() == 0


class _Interrupting(np.ndarray):
    """Crops that raise KeyboardInterrupt at the third read, which is the second validation."""

    reads = 0

    def __getitem__(self, rows: Any) -> Any:
        _Interrupting.reads += 1
        if _Interrupting.reads > 2:
            raise KeyboardInterrupt
        return self.view(np.ndarray)[rows]


def test_a_resumed_run_ends_with_the_same_weights(spots: PreparedFaces, tmp_path: Path) -> None:
    training, validation = frozenset(spots.people[:4]), frozenset(spots.people[4:6])
    train_refiner(CONFIG, spots, training, validation, tmp_path / "whole")
    interrupting = replace(spots, crops=spots.crops.view(_Interrupting))
    with pytest.raises(KeyboardInterrupt):
        train_refiner(CONFIG, interrupting, training, validation, tmp_path / "stopped")
    assert torch.load(tmp_path / "stopped" / "last.pt", weights_only=True)["step"] == 2
    train_refiner(CONFIG, spots, training, validation, tmp_path / "stopped")
    whole, stopped = (tmp_path / run / "last.pt" for run in ("whole", "stopped"))
    assert_same_weights(whole, stopped)
    assert [entry["step"] for entry in torch.load(whole, weights_only=True)["history"]] == [2, 4]
    with pytest.raises(ConfigError, match="another config"):
        train_refiner(replace(CONFIG, batch=7), spots, training, validation, tmp_path / "whole")


def test_training_reduces_the_landmark_error(spots: PreparedFaces, tmp_path: Path) -> None:
    training = replace(CONFIG.training, steps=200, validate_every=200, learning_rate=5e-3, ema=0.5)
    config = replace(CONFIG, training=training, guess=replace(CONFIG.guess, blocks=1))
    everyone = frozenset(spots.people)
    best = train_refiner(config, spots, everyone, everyone, tmp_path)
    (last,) = torch.load(best, weights_only=True)["history"]
    assert last["error"] < 0.7 * last["error_before"]


def test_people_without_crops_cannot_train(spots: PreparedFaces, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no crops"):
        train_refiner(CONFIG, spots, frozenset(), frozenset(spots.people), tmp_path)
