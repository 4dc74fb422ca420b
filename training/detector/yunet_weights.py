"""Reads YuNet's weights from OpenCV Zoo's ONNX file into the network of model/detector/yunet.py.

The file is `face_detection_yunet_2023mar.onnx` of OpenCV Zoo (MIT licence), or its `int8bq` form, whose weights are
int8 in blocks with a scale each. Batch normalization is folded into the convolutions already.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from model.detector.yunet import Separable, YuNet
from training.data.errors import DataError
from training.data.onnx_constants import read_constants

YUNET_FILE: Final = "face_detection_yunet_2023mar_int8bq.onnx"
LEVELS: Final = 3
HEADS: Final = ("cls", "bbox", "obj", "kps")  # in the order of the file ...
CHANNEL_ORDER: Final = ("bbox", "cls", "obj", "kps")  # ... and in that of our maps

Weights = tuple[NDArray[np.float32], NDArray[np.float32]]  # of a convolution, and its bias


def load_yunet(path: Path) -> YuNet:
    """Builds the network from an ONNX file. Raises DataError if the file is not YuNet's."""
    try:
        convolutions = _read_convolutions(onnx.load(path))
        return _fill(YuNet().eval(), convolutions)
    except Exception as error:  # protobuf's errors have no common type across its versions
        reason = str(error) or type(error).__name__
        raise DataError(f"{path} is not YuNet's network ({reason}). Get {YUNET_FILE} from OpenCV Zoo.") from error


def _fill(network: YuNet, convolutions: Sequence[Weights]) -> YuNet:
    following = iter(convolutions)
    first, bias = next(following)
    _set(network.first, (first[:, ::-1], bias))  # BGR -> RGB
    body = [network.stem, network.fine, network.middle, network.coarse]
    separable = [layer for part in body for layer in part if isinstance(layer, Separable)]
    # The file computes the coarsest map's neck first.
    for layer in (*separable, network.coarse_neck, network.middle_neck, network.fine_neck):
        _set(layer.pointwise, next(following))
        _set(layer.depthwise, next(following))
    heads = {(head, level): (next(following), next(following)) for head in HEADS for level in range(LEVELS)}
    for level, layer in enumerate((network.fine_head, network.middle_head, network.coarse_head)):
        parts = [heads[head, level] for head in CHANNEL_ORDER]
        for which, convolution in enumerate((layer.pointwise, layer.depthwise)):
            weight, bias = (np.concatenate([part[which][kind] for part in parts]) for kind in (0, 1))
            _set(convolution, (weight, bias))
    if next(following, None) is not None:
        raise ValueError("it has more convolutions")
    return network


def _set(convolution: nn.Conv2d, weights: Weights) -> None:
    weight, bias = (torch.from_numpy(np.array(each, np.float32)) for each in weights)
    convolution.load_state_dict({"weight": weight, "bias": bias})


def _read_convolutions(model: Any) -> list[Weights]:
    """Returns weight and bias of every convolution in the order of the file, quantized ones multiplied out."""
    constants = read_constants(model)
    return [(constants[weight], constants[bias]) for weight, bias in _convolution_inputs(model)]


def _convolution_inputs(model: Any) -> Iterator[tuple[str, str]]:
    for node in model.graph.node:
        if node.op_type == "Conv":
            _, weight, bias = node.input
            yield weight, bias
