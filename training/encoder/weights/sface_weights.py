"""Reads SFace's weights from OpenCV Zoo's ONNX file into the network of model/encoder/sface.py.

The file is `face_recognition_sface_2021dec_int8bq.onnx` of OpenCV Zoo (Apache-2.0), whose weights are int8 in blocks
with a scale each. Batch normalization is folded into the neighbouring weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from model.encoder.sface import SFace
from training.data.errors import DataError
from training.data.onnx_constants import read_constants

SFACE_FILE: Final = "face_recognition_sface_2021dec_int8bq.onnx"
# Smaller weights are taken for zero: they become denormal numbers, with which processors are ten times as slow.
SMALLEST: Final = 1e-20

Constants = Mapping[str, NDArray[Any]]
Affine = tuple[NDArray[np.float64], NDArray[np.float64]]  # scale and shift of each channel


def load_sface(path: Path) -> SFace:
    """Builds the network from an ONNX file. Raises DataError if the file is not SFace's."""
    try:
        model = onnx.load(path)
        return _fill(SFace().eval(), model, read_constants(model))
    except Exception as error:  # protobuf's errors have no common type across its versions
        reason = str(error) or type(error).__name__
        raise DataError(f"{path} is not SFace's network ({reason}). Get {SFACE_FILE} from OpenCV Zoo.") from error


def _fill(network: SFace, model: Any, constants: Constants) -> SFace:
    layers = iter(network)
    affine: Affine | None = None  # of the latest normalization
    for node in model.graph.node:
        if node.op_type == "Conv":
            convolution, output = next(layers), node.output[0]
            weight = constants[node.input[1]].astype(np.float64)
        elif node.op_type == "BatchNormalization":
            affine = _read_normalization(node, constants)
            if node.input[0] == output:
                scale, shift = affine
                _set(convolution, weight * scale[:, None, None, None], shift)
        elif node.op_type == "PRelu":
            slope = next(layers)
            slope.load_state_dict({"weight": _tensor(constants[node.input[1]].ravel())})
        elif node.op_type == "Gemm":
            assert affine is not None
            scale, shift = affine
            weight, bias = (constants[name].astype(np.float64) for name in node.input[1:])
            pixels = weight.shape[1] // len(scale)
            bias = bias + weight @ np.repeat(shift, pixels)
            weight = weight * np.repeat(scale, pixels)
    assert affine is not None
    scale, shift = affine  # of the embedding
    flatten, last = next(layers), next(layers)
    assert isinstance(flatten, nn.Flatten)
    _set(last, weight * scale[:, None], bias * scale + shift)
    if next(layers, None) is not None:
        raise ValueError("it has fewer layers")
    return network


def _read_normalization(node: Any, constants: Constants) -> Affine:
    gamma, beta, mean, variance = (constants[name].astype(np.float64) for name in node.input[1:])
    (epsilon,) = (each.f for each in node.attribute if each.name == "epsilon")
    scale = gamma / np.sqrt(variance + epsilon)
    return scale, beta - mean * scale


def _set(layer: nn.Module, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
    layer.load_state_dict({"weight": _tensor(weight), "bias": _tensor(bias)})


def _tensor(values: NDArray[np.floating]) -> torch.Tensor:
    return torch.from_numpy(np.where(np.abs(values) < SMALLEST, 0.0, values).astype(np.float32))
