from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from model.detector.yunet import STRIDES, YuNet, to_nchw
from model.images import Pixels, decode_image
from training.data.errors import DataError
from training.data.photos import Photo
from training.detector.yunet_weights import load_yunet

SIDE = 640  # pixels: the size for which OpenCV Zoo's file was exported
OUTPUTS = {"bbox": slice(0, 4), "cls": slice(4, 5), "obj": slice(5, 6), "kps": slice(6, 16)}  # and our channels


@pytest.fixture
def photos(lfw: dict[str, Photo]) -> list[Pixels]:
    names = sorted(lfw)[::5000][:2]
    return [np.array(Image.fromarray(decode_image(lfw[name].read())).resize((SIDE, SIDE))) for name in names]


def test_the_maps_are_those_of_opencv(yunet: YuNet, yunet_file: Path, photos: list[Pixels]) -> None:
    network = cv2.dnn.readNet(str(yunet_file))
    names = [f"{output}_{stride}" for stride in STRIDES for output in OUTPUTS]
    highest = []
    for photo in photos:
        network.setInput(np.ascontiguousarray(photo[:, :, ::-1].transpose(2, 0, 1)[None], np.float32))
        expected = dict(zip(names, network.forward(names), strict=True))
        with torch.inference_mode():
            maps = yunet.maps(to_nchw(torch.from_numpy(photo)[None]))
        for stride, values in zip(STRIDES, maps, strict=True):
            cells = values[0].flatten(1).T
            for output, channels in OUTPUTS.items():
                found = cells[:, channels]
                if output in ("cls", "obj"):
                    found = found.sigmoid()
                np.testing.assert_allclose(found, expected[f"{output}_{stride}"][0], atol=1e-4, rtol=0)
        highest.append(max(float(expected[f"obj_{stride}"].max()) for stride in STRIDES))
    assert min(highest) > 0.9  # the maps are not empty


def test_the_weights_of_the_file_are_not_changed_by_our_network(yunet: YuNet, yunet_file: Path) -> None:
    again = load_yunet(yunet_file)
    with torch.no_grad():
        again.first.weight.zero_()
    assert yunet.first.weight.abs().max() > 0
    assert not yunet.training


@pytest.mark.parametrize("length", [0, 100, 60_000])
def test_a_truncated_file_is_named(yunet_file: Path, tmp_path: Path, length: int) -> None:
    truncated = tmp_path / "short.onnx"
    truncated.write_bytes(yunet_file.read_bytes()[:length])
    with pytest.raises(DataError, match=r"short\.onnx is not YuNet's network.*OpenCV Zoo"):
        load_yunet(truncated)


def test_another_network_and_a_missing_file_are_named(lfw_folder: Path, yunet_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    content = (lfw_folder / "weights" / "face_recognition_sface_2021dec_int8bq.onnx").read_bytes()
    other.write_bytes(content)
    for file in (other, tmp_path / "missing.onnx"):
        with pytest.raises(DataError, match=rf"{file.name} is not YuNet's network"):
            load_yunet(file)
