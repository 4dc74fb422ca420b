"""Reads the weights of face-reidentification-retail-0095 into the network of model/encoder/retail_0095.py.

The file is Open Model Zoo's, in OpenVINO's intermediate representation (Apache-2.0, Intel): an .xml and a .bin beside
it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.encoder.retail_0095 import Retail0095
from training.data.errors import DataError

RETAIL_FILE: Final = "face-reidentification-retail-0095.xml"
CONVOLUTIONS: Final = ("Convolution", "GroupConvolution")
OTHERS: Final = ("Parameter", "Constant", "Convert", "AvgPool", "Sigmoid", "Result")


def load_retail_0095(path: Path) -> Retail0095:
    """Builds the network from an .xml file and the .bin beside it. Raises DataError if it is another network's."""
    try:
        import openvino  # only here: importing it takes a second

        model = openvino.Core().read_model(path)
        return _fill(Retail0095().eval(), model)
    except Exception as error:  # OpenVINO raises RuntimeError, our checks ValueError, torch both
        reason = (str(error) or type(error).__name__).splitlines()[-1]
        raise DataError(
            f"{path} is not the network of {RETAIL_FILE} ({reason}). Get it from Open Model Zoo, with the .bin file."
        ) from error


def _fill(network: Retail0095, model: Any) -> Retail0095:
    targets = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.PReLU)]
    values = list(_read_layers(model))
    if len(targets) != len(values):
        raise ValueError(f"it has {len(values)} layers instead of {len(targets)}")
    scale, shift = _read_scaling(model)
    if not np.allclose(-shift / scale, Retail0095.MEAN, atol=1e-3):
        raise ValueError("its pixels are scaled differently")
    weight, bias = values[0]
    values[0] = (weight[:, ::-1] * (scale * Retail0095.SCALE)[:, None, None], bias)  # BGR -> RGB
    for target, (weight, bias) in zip(targets, values, strict=True):
        state = {"weight": _tensor(weight)}
        if isinstance(target, nn.Conv2d):
            state["weight"] = state["weight"].view_as(target.weight)
            state["bias"] = torch.zeros(target.out_channels) if bias is None else _tensor(bias)
        target.load_state_dict(state)
    return network


def _read_scaling(model: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The scale and the shift of R, G and B with which the file begins."""
    first = {op.get_type_name(): _constant(op, 1) for op in reversed(model.get_ordered_ops()) if _is_on_pixels(op)}
    return first["Multiply"].ravel()[::-1], first["Add"].ravel()[::-1]


def _is_on_pixels(op: Any) -> bool:
    return op.get_type_name() in ("Multiply", "Add") and list(op.output(0).shape)[1] == 3


def _read_layers(model: Any) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64] | None]]:
    """Weight and bias of each convolution, and the slope of each PReLU, in the order of the computation."""
    for op in model.get_ordered_ops():
        kind = op.get_type_name()
        if kind in CONVOLUTIONS:
            (after,) = op.output(0).get_target_inputs()
            following = after.get_node()
            has_bias = following.get_type_name() == "Add"
            yield _constant(op, 1), _constant(following, 1).ravel() if has_bias else None
        elif kind == "PRelu":
            yield _constant(op, 1), None
        elif kind not in (*OTHERS, "Add", "Multiply"):
            raise ValueError(f"it has a layer {kind}")


def _constant(op: Any, place: int) -> NDArray[np.float64]:
    """The constant that is an input of `op`, through conversions of its type."""
    source = op.input(place).get_source_output().get_node()
    while source.get_type_name() == "Convert":
        source = source.input(0).get_source_output().get_node()
    if source.get_type_name() != "Constant":
        raise ValueError(f"input {place} of {op.get_friendly_name()} is computed")
    return np.asarray(source.get_data(), np.float64)


def _tensor(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(np.array(values, np.float32))
