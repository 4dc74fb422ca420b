from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.images import Pixels
from training.config import ConfigError
from training.data.photos import DataError, Photo
from training.detector.config import CONFIG, DetectorConfig, load_detector_config
from training.detector.loop import train
from training.detector.pseudo_labels import TaughtPhotos, teach


@pytest.fixture(scope="module")
def taught(lfw: dict[str, Photo], tmp_path_factory: pytest.TempPathFactory) -> TaughtPhotos:
    photos = list(lfw.values())[:6]
    target = tmp_path_factory.mktemp("taught") / "taught.json"
    made = teach(photos, target, workers=1)
    again = teach(photos, target)
    assert [faces.tolist() for faces in again.faces] == [faces.tolist() for faces in made.faces]
    with pytest.raises(DataError, match="other photos"):
        teach(photos[:3], target)
    return made


@pytest.fixture
def small() -> DetectorConfig:
    config = load_detector_config(CONFIG)
    return replace(
        config,
        batch=4,
        composites=replace(config.composites, size=96, grids=(1,)),
        network=replace(config.network, width=0.2),
        training=replace(config.training, steps=4, validate_every=2, warmup_steps=1),
    )


def test_the_teacher_sees_a_face_on_every_photo(taught: TaughtPhotos) -> None:
    for faces in taught.faces:
        assert faces[:, 4].max() > 0.95
        best = faces[faces[:, 4].argmax()]
        assert best[5] < best[7]  # the left eye is on the left
    people = frozenset({taught.photos[0].person})
    assert {photo.person for photo in taught.of(people).photos} == people


class Interrupted(TaughtPhotos):
    """Photos of which the n-th look is interrupted."""

    looks = 0

    def pixels(self, row: int) -> Pixels:
        Interrupted.looks += 1
        if Interrupted.looks > len(self.photos):  # the second validation
            raise KeyboardInterrupt
        return super().pixels(row)


def test_training_resumes_exactly(taught: TaughtPhotos, small: DetectorConfig, tmp_path: Path) -> None:
    train(small, taught, taught, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(small, taught, Interrupted(taught.photos, taught.faces), tmp_path / "stopped")
    assert torch.load(tmp_path / "stopped" / "last.pt", weights_only=True)["step"] == 2
    train(small, taught, taught, tmp_path / "stopped")
    whole, stopped = (torch.load(tmp_path / run / "last.pt", weights_only=True) for run in ("whole", "stopped"))
    assert whole["step"] == stopped["step"] == 4
    assert [entry["step"] for entry in whole["history"]] == [2, 4]
    assert set(whole["history"][0]) >= {"score", "recall", "false_positives", "landmark_error"}
    for name, tensor in whole["encoder"].items():
        torch.testing.assert_close(stopped["encoder"][name], tensor, atol=0, rtol=0)


def test_a_checkpoint_of_another_config_is_refused(taught: TaughtPhotos, small: DetectorConfig, tmp_path: Path) -> None:
    train(small, taught, taught, tmp_path)
    with pytest.raises(ConfigError, match="another config"):
        train(replace(small, batch=3), taught, taught, tmp_path)
