"""A small file of liveness networks with random weights, and a fake judge for the fakes of tests/support/fakes.py."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.liveness.bundle import SCHEMA, LivenessBundle, LivenessMetadata, create_liveness
from model.liveness.ensemble import SCALES, LivenessEnsemble
from model.liveness.minifasnet import CROP_SIZE
from model.liveness.surroundings import BoxCorrection


def liveness_metadata(threshold: float | None = 0.5, detector: str = "fake-1") -> LivenessMetadata:
    return LivenessMetadata(
        schema=SCHEMA,
        name="fake",
        version="0",
        liveness_id="",
        crop_size=CROP_SIZE,
        scales=SCALES,
        correction=BoxCorrection(),
        detector=detector,
        source="none",
        licence="none",
        agreement={},
        git_commit="none",
        torch_version="none",
        threshold=threshold,
    )


def make_liveness_file(path: Path, metadata: LivenessMetadata | None = None) -> LivenessBundle:
    """Writes networks with random weights, whose scores differ from crop to crop."""
    torch.manual_seed(0)
    ensemble = LivenessEnsemble().eval()
    for network in (ensemble.near, ensemble.wide):
        last = network[-1]
        assert isinstance(last, torch.nn.Linear)
        torch.nn.init.normal_(last.weight, std=10.0)
    crops = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 4, 3), np.uint8)
    crops = crops.repeat(CROP_SIZE // 4, axis=2).repeat(CROP_SIZE // 4, axis=3)
    return create_liveness(path, ensemble, metadata or liveness_metadata(), crops)


class FakeJudge:
    """Scores a face by the blue channel of its surroundings, 0..1: a blue picture is live, a red one is not."""

    def __init__(self, threshold: float = 0.5) -> None:
        self.metadata, self.batches = liveness_metadata(threshold), list[int]()

    def judge(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(crops))
        return np.asarray(crops[..., 2].reshape(len(crops), -1).mean(axis=1) / 255, np.float32)
