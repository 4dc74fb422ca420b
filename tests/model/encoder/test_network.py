import pytest
import torch

from model.encoder.backbones import DlibResidual
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


def test_the_dlib_network_has_one_shape() -> None:
    encoder = build_encoder("dlib_resnet", 150, 128).eval()
    with torch.no_grad():
        assert encoder(crops(2, size=150)).shape == (2, 128)
    with pytest.raises(ValueError, match="one shape"):
        build_encoder("dlib_resnet", 96, 128)


@pytest.mark.parametrize(("side", "channels_in", "channels"), [(35, 32, 64), (8, 128, 256), (4, 256, 256)])
def test_a_halving_block_pads_the_smaller_summand_with_zeros_at_the_end(
    side: int, channels_in: int, channels: int
) -> None:
    block = DlibResidual(channels_in, channels, halved_size=side)
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.rand(1, channels_in, side, side)
    pooled = torch.nn.functional.avg_pool2d(x, 2, 2)
    y = block(x)
    torch.testing.assert_close(y[:, :channels_in, : side // 2, : side // 2], pooled)
    assert (y[:, channels_in:] == 0).all()
    assert y.shape == (1, channels, max(side // 2, (side - 3) // 2 + 1), max(side // 2, (side - 3) // 2 + 1))


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # model/runtime/torchscript.py silences it
def test_the_backbone_gets_crops_scaled_to_side() -> None:
    torch.manual_seed(0)
    encoder = build_encoder("compact_resnet", 80, 32, width=0.25, hidden=64, side=48).eval()
    shapes: list[torch.Size] = []
    hook = encoder.backbone.register_forward_pre_hook(lambda module, inputs: shapes.append(inputs[0].shape))
    assert encoder(crops(2)).shape == (2, 32)
    assert shapes == [torch.Size([2, 3, 48, 48])]
    hook.remove()
    torch.testing.assert_close(torch.jit.script(encoder)(crops(2)), encoder(crops(2)), atol=1e-5, rtol=0)
