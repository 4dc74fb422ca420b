import pytest
import torch

from model.liveness.ensemble import LivenessEnsemble
from model.liveness.minifasnet import CROP_SIZE, LIVE
from model.runtime.torchscript import script


@pytest.fixture(scope="module")
def ensemble() -> LivenessEnsemble:
    torch.manual_seed(0)
    return LivenessEnsemble().eval()


@pytest.fixture(scope="module")
def crops() -> torch.Tensor:
    shape = (3, 2, CROP_SIZE, CROP_SIZE, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_a_score_is_the_mean_probability_of_live_from_bgr_levels(
    ensemble: LivenessEnsemble, crops: torch.Tensor
) -> None:
    bgr = crops.flip(-1).permute(0, 1, 4, 2, 3).float()
    with torch.inference_mode():
        near, wide = ensemble.near(bgr[:, 0]).softmax(1), ensemble.wide(bgr[:, 1]).softmax(1)
        torch.testing.assert_close(ensemble(crops), (near[:, LIVE] + wide[:, LIVE]) / 2)


def test_the_scripted_ensemble_gives_the_same_scores(ensemble: LivenessEnsemble, crops: torch.Tensor) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(script(ensemble)(crops), ensemble(crops))


@pytest.mark.parametrize("shape", [(1, 1, CROP_SIZE, CROP_SIZE, 3), (1, 2, 3, CROP_SIZE, CROP_SIZE), (2, 80, 80, 3)])
def test_crops_of_another_shape_or_type_are_refused(ensemble: LivenessEnsemble, shape: tuple[int, ...]) -> None:
    with pytest.raises(RuntimeError, match="crops must have the shape"):
        ensemble(torch.zeros(shape, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match="uint8"):
        ensemble(torch.zeros((1, 2, CROP_SIZE, CROP_SIZE, 3)))
