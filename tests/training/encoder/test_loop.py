import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.encoder.bundle import load_bundle, reseal
from tests.support.textures import people, small
from training.config import ConfigError
from training.data.crops import PreparedFaces
from training.data.photos import Pair
from training.data.splits import Split
from training.encoder.export import export
from training.encoder.loop import train
from training.evaluation.calibration import calibrate
from training.evaluation.embeddings import score
from training.evaluation.lfw import compare, evaluate
from training.metrics.verification import MISSING

SPLIT = Split(*(frozenset(people(*part)) for part in (("t", 16), ("v", 10), ("c", 30), ("x", 20))))


def weights(path: Path) -> dict[str, torch.Tensor]:
    saved: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["encoder"]
    return saved


@pytest.mark.parametrize("anchored", [0.0, 0.5])
def test_training_resumes_exactly(faces: PreparedFaces, tmp_path: Path, anchored: float) -> None:
    config = replace(small(), loss=replace(small().loss, anchor_weight=anchored))
    train(config, faces, SPLIT, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    reads = 2 + (anchored > 0)  # anchors read the plain crops once, each validation once more
    with pytest.raises(KeyboardInterrupt):
        train(config, _interrupted(faces, after_reads=reads), SPLIT, stopped)
    assert torch.load(stopped / "last.pt", weights_only=True)["step"] == 4
    train(config, faces, SPLIT, stopped)
    first, second = weights(tmp_path / "whole" / "last.pt"), weights(stopped / "last.pt")
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, atol=0, rtol=0)


class _Interrupting:
    """Crops that raise KeyboardInterrupt when they are read without surroundings for the n-th time."""

    def __init__(self, crops: np.ndarray, after: int) -> None:
        self._crops, self._left = crops, after
        self.shape = crops.shape

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple):
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt
        found: np.ndarray = self._crops[key]
        return found


def _interrupted(faces: PreparedFaces, after_reads: int) -> PreparedFaces:
    return replace(faces, crops=_Interrupting(faces.crops, after_reads))  # type: ignore[arg-type]


def test_a_checkpoint_of_another_config_is_refused(faces: PreparedFaces, tmp_path: Path) -> None:
    train(small(), faces, SPLIT, tmp_path)
    other = replace(small(), loss=replace(small().loss, margin=0.9))
    with pytest.raises(ConfigError, match="another config"):
        train(other, faces, SPLIT, tmp_path)


def test_the_whole_way_from_crops_to_a_calibrated_and_evaluated_bundle(faces: PreparedFaces, tmp_path: Path) -> None:
    config = replace(small(), training=replace(small().training, steps=60, validate_every=20))
    train(config, faces, SPLIT, tmp_path / "run")
    bundle = export(config, faces, SPLIT, tmp_path / "run", tmp_path / "b.pt", "a command")
    assert bundle.metadata.training["command"] == "a command"
    calibration = score(bundle, faces, SPLIT.calibration)
    bundle = reseal(bundle, calibration=calibrate(calibration.all_pairs(), 1e-2, "data", "command"))
    tested = score(bundle, faces, SPLIT.test)
    assert tested.missing == ("x00/x00_0009.jpg",)
    pairs = [
        Pair(f"{p}/{p}_0001.jpg", f"{q}/{q}_0002.jpg", same=p == q) for p in people("x", 9) for q in people("x", 3)
    ]
    report = evaluate(bundle, tested, pairs, "a command")
    assert report["view1"]["accuracy_at_even_odds"]["value"] > 0.8  # textures are easy
    assert report["all_pairs"]["photos"] == 81
    assert set(report["all_pairs"]["tar_at_fmr"]) == {"0.01"}  # the others lack the thirty false matches
    assert report["all_pairs"]["genuine_pairs"] == 20 * 6 + 4
    resealed = reseal(bundle, evaluation=report)
    assert load_bundle(resealed.path).metadata.evaluation == json.loads(json.dumps(report))
    lost = Pair("x00/x00_0001.jpg", "x00/x00_0009.jpg", same=True)
    assert tested.similarities([lost]).tolist() == [MISSING]


def test_a_bundle_compared_with_itself_differs_by_nothing(faces: PreparedFaces) -> None:
    from tests.training.metrics.test_bootstrap import sample
    from training.metrics.verification import all_pairs

    pairs = all_pairs(*sample(40, 3))
    for estimate in compare(pairs, pairs).values():
        assert (estimate.value, estimate.standard_error) == (0.0, 0.0)
