from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from model.encoder.sface import SFace
from model.images import Pixels
from training.data.errors import DataError
from training.detector.yunet_weights import YUNET_FILE
from training.encoder.weights.sface_weights import SFACE_FILE, SMALLEST, load_sface


@pytest.fixture(scope="module")
def file(weights_folder: Path) -> Path:
    return weights_folder / SFACE_FILE


@pytest.fixture(scope="module")
def sface(file: Path) -> SFace:
    return load_sface(file)


def run_file(file: Path, crops: Pixels) -> np.ndarray:
    """What ONNX Runtime computes from the file."""
    model = onnx.load(file)
    # The file names its constants as inputs, too.
    (image,) = (each for each in model.graph.input if each.name == "data")
    del model.graph.input[:]
    model.graph.input.append(image)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of constants without use
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    pixels = crops.transpose(0, 3, 1, 2).astype(np.float32)
    return np.concatenate([session.run(None, {"data": each[None]})[0] for each in pixels])


def test_embeddings_are_those_of_the_file_in_its_own_runtime(
    sface: SFace, file: Path, served_crops: dict[str, Pixels]
) -> None:
    crops = served_crops["sface"]
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        embeddings = sface((pixels - 127.5) / SFace.SCALE)
    assert embeddings.norm(dim=1).min() > 1
    np.testing.assert_allclose(embeddings.numpy(), run_file(file, crops), atol=1e-4, rtol=0)


def test_no_weight_is_a_denormal_number(sface: SFace) -> None:
    for values in sface.state_dict().values():
        assert not ((values != 0) & (values.abs() < SMALLEST)).any()


def test_a_damaged_file_and_another_network_are_named(file: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.onnx"
    short.write_bytes(file.read_bytes()[:5000])
    for path in (short, file.with_name(YUNET_FILE), tmp_path / "missing.onnx"):
        with pytest.raises(DataError, match=rf"{path.name} is not SFace's network.*OpenCV Zoo"):
            load_sface(path)
