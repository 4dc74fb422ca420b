"""The same TorchScript module in ONNX Runtime, an extra of facetwin: `pip install 'facetwin[onnxruntime]'`."""

import io
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import torch
from torch import Tensor

OPSET = 17  # of ONNX: the newest that torch's exporter of TorchScript modules writes well


def is_installed() -> bool:
    """Whether the packages of the extra are there."""
    return find_spec("onnx") is not None and find_spec("onnxruntime") is not None


def compile_onnx(
    module: torch.jit.ScriptModule, example: Tensor, dynamic: Sequence[int]
) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Exports `module`, as `torch.jit.script` made it and not frozen, and compiles it for this processor.

    `example` is one input; the lengths of its dimensions `dynamic` may differ in later calls. Uses as many threads as
    torch does now. Several threads may call the result at once. Raises RuntimeError where an operator has no
    counterpart in ONNX.
    """
    import onnxruntime

    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the only exporter of TorchScript modules is deprecated, and says so
        torch.onnx.export(
            module,
            (example,),
            file,  # type: ignore[arg-type]  # the exporter of TorchScript modules takes streams
            dynamo=False,
            opset_version=OPSET,
            input_names=["input"],
            dynamic_axes={"input": {axis: f"length_{axis}" for axis in dynamic}},
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that wait by spinning would take the cores from the threads of other requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])

    def run(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(each) for each in session.run(None, {"input": x.numpy()}))

    return run
