from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.alignment import chip_template
from tests.support.pictures import draw_spots
from tests.support.training.checkpoints import assert_same_weights
from tests.support.training.detector_configs import small_detector_config
from training.config import ConfigError
from training.data.errors import DataError
from training.detector import refiner_loop
from training.detector.candidates import PATCH_MARGIN, PATCH_SIZE, PATCH_TEMPLATE_SIZE, Candidates
from training.detector.refiner_loop import make_batch, train_refiner

CONFIG = small_detector_config()
NO_ERRORS = replace(CONFIG.guess, rotation=0.0, scale=0.0, shift=0.0, each=0.0)
TEMPLATE = chip_template(PATCH_TEMPLATE_SIZE) + PATCH_MARGIN


@pytest.fixture
def spots() -> Candidates:
    """Twelve faces, which are spots of light at the landmarks, and twelve dark patches, which are none.

    The landmarks of every third face are not known, and wrong.
    """
    rng = np.random.default_rng(0)
    landmarks = TEMPLATE + rng.normal(0, 2, (24, 5, 2))
    faces = [draw_spots(points, PATCH_SIZE, radius=6) for points in landmarks[:12]]
    others = [rng.integers(0, 60, (PATCH_SIZE, PATCH_SIZE, 3)).astype(np.uint8) for _ in range(12)]
    is_face = np.arange(24) < 12
    has_landmarks = is_face & (np.arange(24) % 3 > 0)
    landmarks[~has_landmarks] += 9
    patches = np.stack([*faces, *others])
    return Candidates(patches, landmarks.reshape(24, 10).astype(np.float32), is_face, has_landmarks)


def select(candidates: Candidates, rows: np.ndarray) -> Candidates:
    return Candidates(
        candidates.patches[rows], candidates.landmarks[rows], candidates.is_face[rows], candidates.has_landmarks[rows]
    )


def test_landmarks_stay_in_place_when_patches_are_shrunk_and_mirrored() -> None:
    side = PATCH_SIZE
    crops = torch.zeros(40, side, side, 3, dtype=torch.uint8)
    crops[:, 60:68, 40:48] = 255  # the left eye is white
    crops[:, 60:68, 120:128, 0] = 255  # the right eye is red
    points = torch.tensor([[44.0, 64.0], [124.0, 64.0], [90.0, 100.0], [60.0, 120.0], [110.0, 120.0]])
    cases = set()
    for seed in range(6):
        batch = make_batch(crops, points.flatten().expand(40, -1), NO_ERRORS, torch.Generator().manual_seed(seed))
        torch.testing.assert_close(batch.initial, batch.target)
        size = batch.pixels.shape[-1]
        blocks = side / size
        for row in range(40):
            left, right, nose, mouth_left, mouth_right = batch.target[row].view(5, 2)
            is_white = [batch.pixels[row, 1, int(eye[1]), int(eye[0])].item() > 100 for eye in (left, right)]
            assert batch.pixels[row, 0, int(left[1]), int(left[0])] > 200
            assert batch.pixels[row, 0, int(right[1]), int(right[0])] > 200
            assert left[0] < right[0]
            assert mouth_left[0] < mouth_right[0]
            assert nose[0] * blocks == pytest.approx(90 if is_white[0] else side - 90, abs=0.01)
            assert sorted(is_white) == [False, True]
            cases.add((size, is_white[0]))
    assert {left_is_white for _, left_is_white in cases} == {False, True}  # False: mirrored
    assert len({size for size, _ in cases}) > 2


def test_initial_landmarks_are_as_wrong_as_the_config_says() -> None:
    crops = torch.zeros(500, 32, 32, 3, dtype=torch.uint8)
    points = torch.from_numpy(TEMPLATE).float().flatten().expand(500, -1)
    independent = replace(NO_ERRORS, each=CONFIG.guess.each, blocks=1)
    batch = make_batch(crops, points, independent, torch.Generator().manual_seed(0))
    assert batch.error(batch.initial).std().item() == pytest.approx(independent.each * np.exp(0.25), rel=0.15)
    assert batch.error(batch.target).abs().max() == 0


def test_a_resumed_run_ends_with_the_same_weights(
    spots: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_refiner(CONFIG, spots, spots, tmp_path / "whole")
    validate, validations = refiner_loop.validate, []

    def interrupt(*arguments: object) -> dict[str, float]:
        validations.append(arguments)
        if len(validations) == 2:
            raise KeyboardInterrupt
        return validate(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as interrupted:
        interrupted.setattr(refiner_loop, "validate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_refiner(CONFIG, spots, spots, tmp_path / "stopped")
    assert torch.load(tmp_path / "stopped" / "last.pt", weights_only=True)["step"] == 2
    train_refiner(CONFIG, spots, spots, tmp_path / "stopped")
    whole, stopped = (tmp_path / run / "last.pt" for run in ("whole", "stopped"))
    assert_same_weights(whole, stopped)
    assert [entry["step"] for entry in torch.load(whole, weights_only=True)["history"]] == [2, 4]
    with pytest.raises(ConfigError, match="another config"):
        train_refiner(replace(CONFIG, batch=6), spots, spots, tmp_path / "whole")


def test_training_reduces_the_landmark_error_and_tells_faces_from_others(spots: Candidates, tmp_path: Path) -> None:
    training = replace(CONFIG.training, steps=100, validate_every=100, learning_rate=1e-2, ema=0.8)
    augmentation = replace(CONFIG.augmentation, erase=0.0, blur=0.0, jpeg=0.0, glasses=0.0, dark=0.0)
    guess = replace(CONFIG.guess, blocks=1)
    config = replace(CONFIG, training=training, augmentation=augmentation, guess=guess, batch=24)
    best = train_refiner(config, spots, spots, tmp_path)
    (last,) = torch.load(best, weights_only=True)["history"]
    assert last["error"] < 0.7 * last["error_before"]
    assert last["faces_refused"] == last["others_accepted"] == 0
    assert last["score"] == pytest.approx(1 - last["error"])


def test_candidates_of_one_kind_cannot_train_or_validate(spots: Candidates, tmp_path: Path) -> None:
    for wrong in (select(spots, spots.is_face), select(spots, ~spots.is_face), select(spots, np.zeros(24, np.bool_))):
        for sets in ((wrong, spots), (spots, wrong)):
            with pytest.raises(DataError, match="all faces, or none"):
                train_refiner(CONFIG, *sets, tmp_path)
    assert not list(tmp_path.iterdir())
