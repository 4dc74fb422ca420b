import pytest
import torch

from model.alignment import TEMPLATES
from model.encoder.paired import FEATURES, LEFT, SIZE, TOP, VECTORS, PairedBranches, PairedEncoder
from model.encoder.retail_0095 import Retail0095
from model.encoder.sface import SFace


@pytest.fixture(scope="module")
def encoder() -> PairedEncoder:
    torch.manual_seed(0)
    return PairedEncoder(256).eval()


@pytest.fixture(scope="module")
def crops() -> torch.Tensor:
    return torch.randint(0, 256, (2, SIZE, SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_an_embedding_has_unit_length_and_recognizability_is_a_share(
    encoder: PairedEncoder, crops: torch.Tensor
) -> None:
    with torch.inference_mode():
        vectors, recognizability = encoder(crops)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    assert recognizability.shape == (2,)
    assert ((recognizability > 0) & (recognizability < 1)).all()


def test_features_are_both_networks_unit_vectors_and_their_lengths(encoder: PairedEncoder, crops: torch.Tensor) -> None:
    pixels = crops.permute(0, 3, 1, 2).float()
    branches: PairedBranches = encoder.branches
    with torch.inference_mode():
        features = branches(pixels)
        part = pixels[:, :, TOP : TOP + Retail0095.SIZE, LEFT : LEFT + Retail0095.SIZE]
        retail = branches.retail((part - branches.retail_mean) / Retail0095.SCALE)
    assert features.shape == (2, FEATURES)
    torch.testing.assert_close(features[:, : Retail0095.DIM], retail / retail.norm(dim=1, keepdim=True))
    torch.testing.assert_close(features[:, Retail0095.DIM : VECTORS].norm(dim=1), torch.ones(2))
    torch.testing.assert_close(features[:, VECTORS], retail.norm(dim=1).log())


def test_retail_0095_sees_the_part_of_the_crop_where_its_own_template_fits() -> None:
    """The two templates differ in shape; the part is the one on which they agree best (least squares)."""
    ours, theirs = TEMPLATES["sface"] * SIZE, TEMPLATES["retail-0095"] * Retail0095.SIZE
    offset = (ours - theirs).mean(axis=0)
    assert abs(offset - [LEFT, TOP]).max() < 1
    centred = (ours - ours.mean(axis=0)), (theirs - theirs.mean(axis=0))
    scale = (centred[0] * centred[1]).sum() / (centred[0] ** 2).sum()
    assert scale == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("shape", [(1, SIZE, SIZE - 1, 3), (SIZE, SIZE, 3), (1, SFace.SIZE, SFace.SIZE, 3)])
def test_crops_of_another_shape_are_refused(encoder: PairedEncoder, shape: tuple[int, ...]) -> None:
    with pytest.raises(RuntimeError, match="crops must have the shape"):
        encoder(torch.zeros(shape, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match="uint8"):
        encoder(torch.zeros((1, SIZE, SIZE, 3)))
