from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.encoder.paired import SIZE
from training.data.errors import DataError
from training.encoder.paired.branch_features import BranchFeatures, CropSet

NAMES = ("a/1.jpg", "b/1.jpg", "c/1.jpg")
CROPS = np.random.default_rng(0).integers(0, 255, (3, SIZE, SIZE, 3), np.uint8)


class FewPixels(nn.Module):
    """Stands for the branches, which take seconds: a coarse picture of the crop, as numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1 / 255))
        self.pool = nn.AdaptiveAvgPool2d(2)

    def forward(self, pixels: Tensor) -> Tensor:
        pooled: Tensor = self.pool(pixels)
        return pooled.flatten(1) * self.scale


@pytest.fixture
def branches() -> nn.Module:
    return FewPixels().eval()


def features_in(folder: Path, branches: nn.Module) -> BranchFeatures:
    return BranchFeatures(branches, folder, torch.device("cpu"), bf16=False)


def kept_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*/*.npz"))


def test_features_are_those_of_the_branches(tmp_path: Path, branches: nn.Module) -> None:
    with torch.no_grad():
        expected = branches(torch.from_numpy(CROPS).permute(0, 3, 1, 2).float()).numpy()
    features = features_in(tmp_path, branches).compute(CropSet("few", NAMES, CROPS))
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_a_crop_in_two_sets_is_computed_once(tmp_path: Path, branches: nn.Module) -> None:
    first = features_in(tmp_path, branches).compute(CropSet("two", NAMES[:2], CROPS[:2]))
    (part,) = kept_files(tmp_path)
    with np.load(part) as saved:
        np.savez(part, keys=saved["keys"], rows=saved["rows"] + 1)
    both = features_in(tmp_path, branches).compute(CropSet("others", NAMES[::-1], CROPS[::-1]))
    np.testing.assert_array_equal(both[:0:-1], first + 1)  # read, not computed
    assert len(kept_files(tmp_path)) == 2


def test_a_degraded_crop_does_not_depend_on_its_set(tmp_path: Path, branches: nn.Module) -> None:
    alone = features_in(tmp_path / "a", branches).compute(CropSet("one", NAMES[1:2], CROPS[1:2]), "dark")
    together = features_in(tmp_path / "b", branches).compute(CropSet("all", NAMES, CROPS), "dark")
    np.testing.assert_allclose(together[1], alone[0], atol=1e-5)
    clean = features_in(tmp_path / "b", branches).compute(CropSet("all", NAMES, CROPS))
    assert np.abs(clean[1] - alone[0]).max() > 0.01


def test_a_damaged_part_is_named(tmp_path: Path, branches: nn.Module) -> None:
    features_in(tmp_path, branches).compute(CropSet("two", NAMES[:2], CROPS[:2]))
    (part,) = kept_files(tmp_path)
    part.write_bytes(b"nothing")
    with pytest.raises(DataError, match="damaged"):
        features_in(tmp_path, branches).compute(CropSet("two", NAMES[:2], CROPS[:2]))
