import pytest
import torch

from model.encoder.backbones import DlibResidual
from model.encoder.network import SiameseNetwork, build_encoder, pair_distance


def crops(count: int, size: int = 80) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator)


@pytest.fixture(params=["paper", "compact_resnet"])
def encoder(request: pytest.FixtureRequest) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_encoder(request.param, 80, 32, width=0.25, hidden=64).eval()


def test_gives_unit_vectors(encoder: torch.nn.Module) -> None:
    vectors = encoder(crops(3))
    assert vectors.shape == (3, 32)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_a_photo_has_the_same_vector_in_any_batch(encoder: torch.nn.Module) -> None:
    torch.testing.assert_close(encoder(crops(5))[2:3], encoder(crops(5)[2:3]), atol=1e-5, rtol=0)


def test_both_branches_share_their_weights(encoder: torch.nn.Module) -> None:
    siamese = SiameseNetwork(encoder)  # type: ignore[arg-type]
    forth, back = siamese(crops(2)[:1], crops(2)[1:]), siamese(crops(2)[1:], crops(2)[:1])
    torch.testing.assert_close(forth, back)
    assert forth.item() > 1e-3
    assert siamese(crops(1), crops(1)).item() < 1e-3
    assert len(list(siamese.parameters())) == len(list(encoder.parameters()))


def test_pair_distance_is_euclidean() -> None:
    first, second = torch.nn.functional.normalize(torch.randn(2, 4, 8), dim=2)
    torch.testing.assert_close(pair_distance(first, second), (first - second).norm(dim=1), atol=1e-5, rtol=1e-5)


def test_the_gradient_of_equal_rows_is_finite() -> None:
    row = torch.tensor([[0.6, 0.8]], requires_grad=True)
    pair_distance(row, row.detach()).sum().backward()  # type: ignore[no-untyped-call]
    assert row.grad is not None
    assert row.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # exporting is what model/runtime/torchscript.py does
def test_a_mirroring_encoder_sees_a_face_and_its_mirror_image_alike() -> None:
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


def test_refuses_anything_but_uint8_crops_of_its_size(encoder: torch.nn.Module) -> None:
    with pytest.raises(RuntimeError, match="uint8"):
        encoder(crops(1).float())
    with pytest.raises(RuntimeError, match="shape"):
        encoder(crops(1, size=64))


def test_an_unknown_architecture_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="compact_resnet"):
        build_encoder("transformer", 80, 32)


def test_crops_that_the_paper_network_would_shrink_to_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        build_encoder("paper", 64, 32)


def test_the_dlib_network_has_its_one_shape() -> None:
    encoder = build_encoder("dlib_resnet", 150, 128).eval()
    with torch.no_grad():
        assert encoder(crops(2, size=150)).shape == (2, 128)
    with pytest.raises(ValueError, match="one shape"):
        build_encoder("dlib_resnet", 96, 128)


@pytest.mark.parametrize(("side", "channels_in", "channels"), [(35, 32, 64), (8, 128, 256), (4, 256, 256)])
def test_a_halving_block_fills_the_smaller_summand_with_zeros_at_the_end(
    side: int, channels_in: int, channels: int
) -> None:
    block = DlibResidual(channels_in, channels, halves=side)
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.rand(1, channels_in, side, side)
    pooled = torch.nn.functional.avg_pool2d(x, 2, 2)
    y = block(x)
    torch.testing.assert_close(y[:, :channels_in, : side // 2, : side // 2], pooled)
    assert (y[:, channels_in:] == 0).all()
    assert y.shape == (1, channels, max(side // 2, (side - 3) // 2 + 1), max(side // 2, (side - 3) // 2 + 1))


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # exporting is what model/runtime/torchscript.py does
def test_a_smaller_side_is_what_the_backbone_sees() -> None:
    torch.manual_seed(0)
    encoder = build_encoder("compact_resnet", 80, 32, width=0.25, hidden=64, side=48).eval()
    seen: list[torch.Size] = []
    hook = encoder.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape))
    assert encoder(crops(2)).shape == (2, 32)
    assert seen == [torch.Size([2, 3, 48, 48])]
    hook.remove()
    torch.testing.assert_close(torch.jit.script(encoder)(crops(2)), encoder(crops(2)), atol=1e-5, rtol=0)
