"""Reads the constants of an ONNX file: its weights, those that are int8 in blocks multiplied out."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def read_constants(model: Any) -> dict[str, NDArray[Any]]:
    """The initializers of a model by name, and what DequantizeLinear and Reshape make of them."""
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            constants[node.output[0]] = _dequantize(node, constants)
        elif node.op_type == "Reshape" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]].reshape(constants[node.input[1]])
    return constants


def _dequantize(node: Any, constants: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """(quantized - zero point) x scale, with one scale and zero point for each block along one axis."""
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    quantized, scale, zero = (constants[name] for name in node.input)
    block, axis = int(attributes["block_size"]), int(attributes["axis"])
    scale, zero = (np.repeat(each.astype(np.float32), block, axis=axis) for each in (scale, zero))
    return np.asarray((quantized.astype(np.float32) - zero) * scale, np.float32)
