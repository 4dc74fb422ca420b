import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model.runtime.torchscript import trace
from training.data.errors import DataError
from training.encoder.imported import import_encoder
from training.encoder.input_format import Colours, InputFormat, Landmarks, parse_channels

READS = InputFormat(32, Landmarks.ARCFACE, Colours.BGR, (127.5,) * 3, (128.0,) * 3)


def network(*last: nn.Module) -> nn.Sequential:
    torch.manual_seed(3)
    first = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.PReLU(8))
    return nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 16), *last).eval()


def save(module: nn.Module, file: Path, size: int = 32) -> Path:
    """Writes TorchScript, or ONNX if the file is named so."""
    crops = torch.zeros(1, 3, size, size)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # both exporters are deprecated
        if file.suffix == ".onnx":
            torch.onnx.export(module, (crops,), file, dynamo=False, opset_version=17)
        else:
            trace(module, crops).save(str(file))
    return file


@pytest.mark.parametrize("name", ["theirs.pt", "theirs.onnx"])
def test_a_bundle_gives_the_vectors_of_the_network_in_its_own_colours(name: str, tmp_path: Path) -> None:
    theirs = network()
    bundle = import_encoder(save(theirs, tmp_path / name), READS, "MIT", "command", tmp_path / "mine.pt")
    crops = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        blue_first = (crops.flip(3).permute(0, 3, 1, 2).float() - 127.5) / 128
        expected = nn.functional.normalize(theirs(blue_first), dim=1)
    assert bundle.metadata.embedding_dim == 16
    torch.testing.assert_close(torch.from_numpy(bundle.encode(crops.numpy()).vectors), expected, atol=1e-5, rtol=0)


def test_the_order_of_colours_is_part_of_the_encoder_id(tmp_path: Path) -> None:
    file = save(network(), tmp_path / "theirs.pt")
    ids = {
        import_encoder(
            file, replace(READS, colours=colours), "MIT", "command", tmp_path / "mine.pt"
        ).metadata.encoder_id
        for colours in Colours
    }
    assert len(ids) == 2


class Training(nn.Module):
    """Normalizes by the mean of the batch, as a network in training mode does."""

    def forward(self, vectors: Tensor) -> Tensor:
        return vectors - vectors.mean(0, keepdim=True) + torch.arange(16)


class Constant(nn.Module):
    def forward(self, vectors: Tensor) -> Tensor:
        return vectors * 0 + torch.arange(16)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (network(Training()), "another vector when other faces are beside it"),
        (network(Constant()), "different crops the same vector"),
        (network(nn.Threshold(1e9, float("nan"))), "not finite"),
    ],
)
def test_a_network_that_is_no_encoder_is_refused(module: nn.Module, message: str, tmp_path: Path) -> None:
    file = save(module, tmp_path / "theirs.pt")
    with pytest.raises(DataError, match=message):
        import_encoder(file, READS, "MIT", "command", tmp_path / "mine.pt")
    assert not (tmp_path / "mine.pt").exists()


def test_a_file_that_is_no_network_and_another_size_are_refused(tmp_path: Path) -> None:
    for name in ("photo.pt", "photo.onnx"):
        (tmp_path / name).write_bytes(b"not a network")
        with pytest.raises(DataError, match=r"is not TorchScript|cannot be converted"):
            import_encoder(tmp_path / name, READS, "MIT", "command", tmp_path / "mine.pt")
    fixed = nn.Sequential(nn.Flatten(), nn.Linear(3 * 40 * 40, 16))
    with pytest.raises(DataError, match="Check --size"):
        import_encoder(save(fixed, tmp_path / "theirs.pt", 40), READS, "MIT", "command", tmp_path / "mine.pt")


def test_means_and_deviations_are_one_number_or_three() -> None:
    assert parse_channels("127.5", "--mean") == (127.5,) * 3
    assert parse_channels("1,2,3", "--mean") == (1.0, 2.0, 3.0)
    for text in ("1,2", "x", ""):
        with pytest.raises(DataError, match="--mean takes one number, or three"):
            parse_channels(text, "--mean")
    with pytest.raises(DataError, match="--std must not be 0"):
        replace(READS, std=(1.0, 0.0, 1.0))
