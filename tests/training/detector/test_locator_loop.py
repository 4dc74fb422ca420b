from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.images import Pixels
from tests.support.training.checkpoints import assert_same_weights
from tests.support.training.detector_configs import small_locator_config
from training.config import ConfigError
from training.data.errors import DataError
from training.detector.locator_loop import train_locator
from training.detector.pseudo_labels import LabelledPhotos


class _Interrupting(LabelledPhotos):
    """Photos that raise KeyboardInterrupt in the second validation."""

    decoded = 0

    def decode(self, row: int) -> Pixels:
        _Interrupting.decoded += 1
        if _Interrupting.decoded > len(self):
            raise KeyboardInterrupt
        return super().decode(row)


def test_a_resumed_run_ends_with_the_same_weights(labelled: LabelledPhotos, tmp_path: Path) -> None:
    config = small_locator_config()
    train_locator(config, labelled, labelled, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_locator(config, labelled, _Interrupting(labelled.photos, labelled.faces), tmp_path / "stopped")
    assert torch.load(tmp_path / "stopped" / "last.pt", weights_only=True)["step"] == 2
    train_locator(config, labelled, labelled, tmp_path / "stopped")
    whole, stopped = (tmp_path / run / "last.pt" for run in ("whole", "stopped"))
    assert_same_weights(whole, stopped)
    saved = torch.load(stopped, weights_only=True)
    assert [entry["step"] for entry in saved["history"]] == [2, 4]
    assert set(saved["history"][0]) >= {"score", "recall", "false_positives", "landmark_error"}


def test_a_checkpoint_of_another_config_is_refused(labelled: LabelledPhotos, tmp_path: Path) -> None:
    train_locator(small_locator_config(), labelled, labelled, tmp_path)
    with pytest.raises(ConfigError, match="another config"):
        train_locator(replace(small_locator_config(), batch=3), labelled, labelled, tmp_path)


def test_photos_without_a_face_cannot_train(labelled: LabelledPhotos, tmp_path: Path) -> None:
    without_faces = LabelledPhotos(labelled.photos, tuple(faces[:0] for faces in labelled.faces))
    with pytest.raises(DataError, match="No training photo shows a face"):
        train_locator(small_locator_config(), without_faces, labelled, tmp_path)
