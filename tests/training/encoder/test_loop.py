import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.encoder.bundle import load_bundle, update_metadata
from tests.support.training.checkpoints import assert_same_weights
from tests.support.training.embeddings import random_embeddings
from tests.support.training.textures import SPLIT, person_names, small_config
from training.config import ConfigError
from training.data.errors import DataError
from training.data.pairs import Pair
from training.data.prepared_faces import PreparedFaces
from training.encoder.export import export_bundle
from training.encoder.loop import train
from training.evaluation.calibration.points import calibrate
from training.evaluation.embeddings import embed_people
from training.evaluation.lfw import compare_tar, evaluate_lfw
from training.metrics.pooling import PooledPairs
from training.metrics.verification import MISSING_SCORE, compare_all_pairs


@pytest.mark.parametrize("distillation_weight", [0.0, 0.5])
def test_a_resumed_run_ends_with_the_same_weights(
    faces: PreparedFaces, tmp_path: Path, distillation_weight: float
) -> None:
    config = replace(small_config(), loss=replace(small_config().loss, distillation_weight=distillation_weight))
    train(config, faces, SPLIT, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    reads = 2 + (distillation_weight > 0)  # distillation reads the central crops once, each validation once more
    with pytest.raises(KeyboardInterrupt):
        train(config, _interrupt(faces, after_reads=reads), SPLIT, stopped)
    assert torch.load(stopped / "last.pt", weights_only=True)["step"] == 4
    train(config, faces, SPLIT, stopped)
    assert_same_weights(tmp_path / "whole" / "last.pt", stopped / "last.pt")


class _InterruptingCrops:
    """Crops that raise KeyboardInterrupt at the n-th read of their centres."""

    def __init__(self, crops: np.ndarray, reads: int) -> None:
        self._crops, self._reads_left = crops, reads
        self.shape = crops.shape

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple):
            self._reads_left -= 1
            if self._reads_left == 0:
                raise KeyboardInterrupt
        crops: np.ndarray = self._crops[key]
        return crops


def _interrupt(faces: PreparedFaces, after_reads: int) -> PreparedFaces:
    return replace(faces, crops=_InterruptingCrops(faces.crops, after_reads))  # type: ignore[arg-type]


def test_a_checkpoint_of_another_config_is_refused(faces: PreparedFaces, tmp_path: Path) -> None:
    train(small_config(), faces, SPLIT, tmp_path)
    other = replace(small_config(), loss=replace(small_config().loss, margin=0.9))
    with pytest.raises(ConfigError, match="another config"):
        train(other, faces, SPLIT, tmp_path)


def test_crops_become_a_calibrated_and_evaluated_bundle(faces: PreparedFaces, tmp_path: Path) -> None:
    config = replace(small_config(), training=replace(small_config().training, steps=60, validate_every=20))
    train(config, faces, SPLIT, tmp_path / "run")
    bundle = export_bundle(config, faces, SPLIT, tmp_path / "run", tmp_path / "b.pt", "a command")
    assert bundle.metadata.training["command"] == "a command"
    calibration = embed_people(bundle, faces, SPLIT.calibration)
    bundle = update_metadata(
        bundle, calibration=calibrate(PooledPairs([calibration.all_pairs()]), 1e-2, "data", "command")
    )
    tested = embed_people(bundle, faces, SPLIT.test)
    assert tested.missing == ("x00/x00_0009.jpg",)
    pairs = [
        Pair(f"{p}/{p}_0001.jpg", f"{q}/{q}_0002.jpg", same=p == q)
        for p in person_names("x", 9)
        for q in person_names("x", 3)
    ]
    report = evaluate_lfw(bundle, tested, pairs, "a command")
    assert report["view1"]["accuracy_at_even_odds"]["value"] > 0.8  # textures are easy
    assert report["all_pairs"]["photos"] == 81
    assert set(report["all_pairs"]["tar_at_fmr"]) == {"0.01"}  # lower FMRs would have fewer than thirty false matches
    assert report["all_pairs"]["genuine_pairs"] == 20 * 6 + 4
    updated = update_metadata(bundle, evaluation=report)
    assert load_bundle(updated.path).metadata.evaluation == json.loads(json.dumps(report))
    without_crop = Pair("x00/x00_0001.jpg", "x00/x00_0009.jpg", same=True)
    assert tested.similarities([without_crop]).tolist() == [MISSING_SCORE]


def test_a_bundle_does_not_differ_from_itself() -> None:
    pairs = compare_all_pairs(*random_embeddings(40, 3))
    for estimate in compare_tar(pairs, pairs).values():
        assert (estimate.value, estimate.standard_error) == (0.0, 0.0)


@pytest.mark.parametrize("validation", [frozenset(), frozenset({"v00"}), frozenset({"nobody"})])
def test_too_few_validation_people_are_refused_before_the_training(
    faces: PreparedFaces, tmp_path: Path, validation: frozenset[str]
) -> None:
    with pytest.raises(DataError, match="two people, one of them with two photos"):
        train(small_config(), faces, replace(SPLIT, validation=validation), tmp_path)
    assert list(tmp_path.iterdir()) == []
