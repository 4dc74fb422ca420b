from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.alignment import similarity_transform
from tests.model.test_alignment import marked
from training.config import ConfigError
from training.data.crops import PreparedFaces, margined_template
from training.detector.config import LANDMARKS, LandmarkConfig, load_landmark_config
from training.detector.landmark_loop import guesses, train_refiner, true_landmarks


@pytest.fixture
def small() -> LandmarkConfig:
    config = load_landmark_config(LANDMARKS)
    training = replace(config.training, steps=4, validate_every=2, warmup_steps=1, learning_rate=1e-3)
    return replace(config, batch=8, width=0.25, training=training)


@pytest.fixture
def faces(small: LandmarkConfig) -> PreparedFaces:
    """Twelve crops with spots of light where the landmarks of twelve photos come to lie."""
    rng = np.random.default_rng(0)
    landmarks = (margined_template(small.crops) * 0.7 + rng.normal(0, 2, (12, 5, 2)) + 30).astype(np.float32)
    names = tuple(f"person{number % 6}/{number}.jpg" for number in range(12))
    dark = np.zeros((12, 1, 1, 3), np.uint8)
    placed = true_landmarks(PreparedFaces(names, dark, landmarks, {}, "mtcnn", 0), small.crops)
    crops = np.stack([marked(points.reshape(5, 2), small.crops.stored, radius=6) for points in placed])
    return PreparedFaces(names, crops, landmarks, {}, "mtcnn", small.crops.margin)


def test_the_true_landmarks_are_those_of_the_photo_carried_into_the_crop(
    faces: PreparedFaces, small: LandmarkConfig
) -> None:
    template = margined_template(small.crops)
    for landmarks, found in zip(faces.landmarks, true_landmarks(faces, small.crops), strict=True):
        back = similarity_transform(template, landmarks)
        carried = similarity_transform(landmarks, template)
        np.testing.assert_allclose(found.reshape(5, 2), landmarks @ carried[:, :2].T + carried[:, 2], atol=1e-3)
        assert np.linalg.det(back[:, :2]) > 0


def test_landmarks_stay_on_what_they_mark_whatever_the_size_and_the_mirror(small: LandmarkConfig) -> None:
    side = small.crops.stored
    crops = torch.zeros(40, side, side, 3, dtype=torch.uint8)
    crops[:, 60:68, 40:48] = 255  # the left eye ...
    crops[:, 60:68, 120:128, 0] = 255  # ... and the right, which is red
    points = torch.tensor([[44.0, 64.0], [124.0, 64.0], [90.0, 100.0], [60.0, 130.0], [110.0, 130.0]])
    still = replace(small.guess, rotation=0.0, scale=0.0, shift=0.0, each=0.0)
    seen = set()
    for seed in range(6):
        batch = guesses(crops, points.flatten().expand(40, -1), still, torch.Generator().manual_seed(seed))
        torch.testing.assert_close(batch.start, batch.true)
        size = batch.pixels.shape[-1]
        for row in range(40):
            left, right = batch.true[row].view(5, 2)[:2].long()
            colours = [batch.pixels[row, 1, at[1], at[0]].item() > 100 for at in (left, right)]
            assert batch.pixels[row, 0, left[1], left[0]] > 200
            assert batch.pixels[row, 0, right[1], right[0]] > 200
            assert left[0] < right[0]
            assert sorted(colours) == [False, True]  # mirrored, the red eye is the left one
            seen.add((size, colours[0]))
    assert {mirrored for _, mirrored in seen} == {False, True}
    assert len({size for size, _ in seen}) > 2


def test_guesses_are_as_wrong_as_the_config_says(small: LandmarkConfig) -> None:
    crops = torch.zeros(500, 32, 32, 3, dtype=torch.uint8)
    points = torch.from_numpy(margined_template(small.crops)).float().flatten().expand(500, -1)
    only = replace(small.guess, rotation=0.0, scale=0.0, shift=0.0, blocks=1)
    batch = guesses(crops, points, only, torch.Generator().manual_seed(0))
    assert batch.error(batch.start).std().item() == pytest.approx(only.each * np.exp(0.25), rel=0.15)
    assert batch.error(batch.true).abs().max() == 0


class Interrupted(np.ndarray):
    """Crops of which the third look, the second validation, is interrupted."""

    looks = 0

    def __getitem__(self, rows: Any) -> Any:
        Interrupted.looks += 1
        if Interrupted.looks > 2:
            raise KeyboardInterrupt
        return self.view(np.ndarray)[rows]


def test_training_resumes_exactly_and_refuses_another_config(
    faces: PreparedFaces, small: LandmarkConfig, tmp_path: Path
) -> None:
    learned, held_out = frozenset(faces.people[:4]), frozenset(faces.people[4:6])
    train_refiner(small, faces, learned, held_out, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_refiner(
            small, replace(faces, crops=faces.crops.view(Interrupted)), learned, held_out, tmp_path / "stopped"
        )
    assert torch.load(tmp_path / "stopped" / "last.pt", weights_only=True)["step"] == 2
    train_refiner(small, faces, learned, held_out, tmp_path / "stopped")
    whole, stopped = (torch.load(tmp_path / run / "last.pt", weights_only=True) for run in ("whole", "stopped"))
    assert [entry["step"] for entry in whole["history"]] == [2, 4]
    for name, tensor in whole["encoder"].items():
        torch.testing.assert_close(stopped["encoder"][name], tensor, atol=0, rtol=0)
    with pytest.raises(ConfigError, match="another config"):
        train_refiner(replace(small, batch=7), faces, learned, held_out, tmp_path / "whole")


def test_the_training_learns(faces: PreparedFaces, small: LandmarkConfig, tmp_path: Path) -> None:
    training = replace(small.training, steps=200, validate_every=200, learning_rate=5e-3, ema=0.5)
    guess = replace(small.guess, blocks=1)
    everyone = frozenset(faces.people)
    best = train_refiner(replace(small, training=training, guess=guess), faces, everyone, everyone, tmp_path)
    (last,) = torch.load(best, weights_only=True)["history"]
    assert last["error"] < 0.7 * last["error_before"]
