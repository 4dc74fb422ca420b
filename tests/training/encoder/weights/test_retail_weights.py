import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from model.encoder.retail_0095 import Retail0095
from model.images import Pixels
from training.data.errors import DataError
from training.encoder.weights.retail_weights import RETAIL_FILE, load_retail_0095


@pytest.fixture(scope="module")
def file(weights_folder: Path) -> Path:
    return weights_folder / RETAIL_FILE


def run_file(file: Path, crops: Pixels) -> np.ndarray:
    """What OpenVINO computes from the file, in float32."""
    import openvino

    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    pixels = np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2)).astype(np.float32)  # BGR
    return np.concatenate([compiled(each[None])[0].reshape(1, -1).copy() for each in pixels])


def test_embeddings_are_those_of_the_file_in_its_own_runtime(file: Path, served_crops: dict[str, Pixels]) -> None:
    network, crops = load_retail_0095(file), served_crops["retail-0095"]
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        embeddings = network((pixels - torch.tensor(Retail0095.MEAN).view(1, 3, 1, 1)) / Retail0095.SCALE)
    assert embeddings.norm(dim=1).min() > 0.1
    np.testing.assert_allclose(embeddings.numpy(), run_file(file, crops), atol=1e-4, rtol=0)


def test_a_damaged_file_and_another_network_are_named(file: Path, tmp_path: Path) -> None:
    without_weights = tmp_path / "alone.xml"
    shutil.copy(file, without_weights)
    other = file.with_name("landmarks-regression-retail-0009.xml")
    for path in (without_weights, other, tmp_path / "missing.xml"):
        with pytest.raises(DataError, match=rf"{path.name} is not the network of {RETAIL_FILE}.*Open Model Zoo"):
            load_retail_0095(path)
