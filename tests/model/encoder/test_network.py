import pytest
import torch

from model.encoder.network import build_encoder


def crops(count: int, size: int = 80) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator)


@pytest.fixture(params=["paper", "compact_resnet"])
def encoder(request: pytest.FixtureRequest) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_encoder(request.param, 80, 32, width=0.25, hidden=64).eval()


def test_vectors_have_unit_length(encoder: torch.nn.Module) -> None:
    vectors = encoder(crops(3))
    assert vectors.shape == (3, 32)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_a_crop_has_the_same_vector_in_any_batch(encoder: torch.nn.Module) -> None:
    torch.testing.assert_close(encoder(crops(5))[2:3], encoder(crops(5)[2:3]), atol=1e-5, rtol=0)


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # model/runtime/torchscript.py silences it
def test_a_mirroring_encoder_gives_a_crop_and_its_mirror_image_the_same_vector() -> None:
    torch.manual_seed(0)
    plain = build_encoder("compact_resnet", 80, 32, width=0.25, hidden=64).eval()
    mirroring = build_encoder("compact_resnet", 80, 32, width=0.25, hidden=64, mirror=True).eval()
    mirroring.load_state_dict(plain.state_dict())
    faces = crops(3)
    expected = torch.nn.functional.normalize(plain(faces) + plain(faces.flip(2)), dim=1)
    torch.testing.assert_close(mirroring(faces), expected)
    torch.testing.assert_close(mirroring(faces.flip(2)), mirroring(faces))
    torch.testing.assert_close(torch.jit.script(mirroring)(faces), expected)
    assert (plain(faces.flip(2)) - plain(faces)).abs().max() > 1e-3


def test_rejects_crops_of_another_dtype_or_size(encoder: torch.nn.Module) -> None:
    with pytest.raises(RuntimeError, match="uint8"):
        encoder(crops(1).float())
    with pytest.raises(RuntimeError, match="shape"):
        encoder(crops(1, size=64))


def test_an_unknown_architecture_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="compact_resnet"):
        build_encoder("transformer", 80, 32)


def test_the_paper_network_rejects_crops_that_are_too_small() -> None:
    with pytest.raises(ValueError, match="too small"):
        build_encoder("paper", 64, 32)
