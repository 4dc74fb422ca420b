"""Runs a TorchScript module in ONNX Runtime. An optional extra: `facetwin[onnxruntime]`."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import Tensor

OPSET = 17  # of ONNX; the newest that torch's TorchScript exporter supports well


def is_installed() -> bool:
    """Returns whether the packages of the extra are installed."""
    return find_spec("onnx") is not None and find_spec("onnxruntime") is not None


def compile_onnx(
    module: torch.jit.ScriptModule, example: Tensor, dynamic: Sequence[int]
) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Exports a module, as returned by `torch.jit.script` and not frozen, and compiles it for this processor.

    `example` is one input; in later calls, its dimensions `dynamic` may have other lengths. Uses as many threads as
    torch does at the time of this call. Several threads may call the result at once. Raises RuntimeError if ONNX or
    ONNX Runtime cannot compute the module; so does the result.
    """
    import onnxruntime

    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # this exporter is deprecated, but the only one for TorchScript
        torch.onnx.export(
            module,
            (example,),
            file,  # type: ignore[arg-type]  # with dynamo=False, a stream is allowed
            dynamo=False,
            opset_version=OPSET,
            input_names=["input"],
            dynamic_axes={"input": {axis: f"length_{axis}" for axis in dynamic}},
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Spinning threads would slow down the threads of other requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    with _runtime_errors():
        session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])

    def run(x: Tensor) -> tuple[Tensor, ...]:
        with _runtime_errors():
            return tuple(torch.from_numpy(each) for each in session.run(None, {"input": x.numpy()}))

    return run


@contextmanager
def _runtime_errors() -> Iterator[None]:
    """Makes ONNX Runtime's own exceptions, which share no base class but Exception, RuntimeErrors as torch's are."""
    try:
        yield
    except Exception as error:
        raise RuntimeError(f"ONNX Runtime: {error}") from error
