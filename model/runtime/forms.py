"""The forms in which a network can run, and the choice of the fastest one on this processor.

No form is fastest everywhere: fused convolutions take half the time of plain ones on some processors and ten times as
much on others, if their weights lie in the wrong layout. So each form is checked against the golden outputs, timed when
the network is loaded, and the fastest serves. The choice holds until the process ends.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import torch
from torch import Tensor

from model.runtime.fusion import fuse, record_input_sizes
from model.runtime.onnx_runtime import compile_onnx
from model.runtime.torchscript import BundleError, freeze

log = logging.getLogger("facetwin")

WARM_UP: Final = 3  # calls: TorchScript specialises its code in the first two
ROUNDS: Final = 5  # timed calls of each form, in turn; the fastest of them counts


class Engine(StrEnum):
    """What may run the networks on a CPU."""

    TORCHSCRIPT = "torchscript"  # every form that torch offers
    ONNXRUNTIME = "onnxruntime"  # these and ONNX Runtime, an extra


class Form(StrEnum):
    """A way to run one network."""

    FROZEN = "frozen"  # TorchScript, weights folded into the code
    FUSED = "fused"  # the same with fused convolutions, see model/runtime/fusion.py
    FUSED_BF16 = "fused_bf16"  # the same, convolutions in bfloat16
    ONNXRUNTIME = "onnxruntime"


Network = Callable[[Tensor], tuple[Tensor, ...]]
Check = Callable[[Form, Network], object]  # raises BundleError where the outputs are not the golden ones


@dataclass(frozen=True)
class Choice:
    """The form that serves inputs of one shape, and the time that each form took for one call."""

    shape: tuple[int, ...]
    form: Form
    milliseconds: Mapping[Form, float]  # empty where there was only one form


class FastestNetwork:
    """A network that runs each input in the form that was fastest for its size. Threads may share it."""

    def __init__(self, forms: Mapping[Form, Network], choices: Sequence[Choice]) -> None:
        """`choices` by rising number of elements."""
        self.choices = tuple(choices)
        self._by_size = [(_elements(choice.shape), forms[choice.form]) for choice in choices]

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """Runs the form of the smallest timed size that is not below this one's, else that of the largest."""
        size = x.numel()
        for largest, network in self._by_size:
            if size <= largest:
                return network(x)
        return self._by_size[-1][1](x)


def compile_forms(
    module: torch.jit.ScriptModule,
    example: Tensor,
    dynamic: Sequence[int],
    *,
    fusable: bool,
    bf16: bool = False,
    engine: Engine = Engine.TORCHSCRIPT,
) -> dict[Form, Network]:
    """Every form of `module` that can run here; on a GPU only the frozen one.

    `example`: an input of usual size on the CPU; the lengths of its dimensions `dynamic` may differ later. `fusable`:
    whether the other dimensions have fixed lengths, as the layout of fused weights depends on them. `bf16`: whether
    bfloat16 is allowed.
    """
    forms: dict[Form, Network] = {Form.FROZEN: _network(freeze(module))}
    if next(iter(module.state_dict().values())).device.type != "cpu":
        return forms
    if fusable:
        sizes = record_input_sizes(module, example)
        for form in (Form.FUSED, Form.FUSED_BF16) if bf16 else (Form.FUSED,):
            fused = fuse(freeze(module), sizes, bf16=form is Form.FUSED_BF16)
            if fused is not None:
                forms[form] = _network(fused)
    if engine is Engine.ONNXRUNTIME:
        forms[Form.ONNXRUNTIME] = compile_onnx(module, example, dynamic)
    return forms


def choose_fastest(forms: Mapping[Form, Network], check: Check, inputs: Sequence[Tensor]) -> FastestNetwork:
    """Checks each form, times those that pass on each of `inputs`, and keeps the fastest ones.

    Raises BundleError where no form passes `check`.
    """
    sound: dict[Form, Network] = {}
    failures: list[BundleError] = []
    for form, network in forms.items():
        try:
            check(form, network)
            sound[form] = network
        except BundleError as error:
            failures.append(error)
            log.warning("form refused", extra={"form": form.value, "reason": str(error)})
    if not sound:
        raise failures[0]
    ordered = sorted(inputs, key=Tensor.numel)
    return FastestNetwork(sound, [_time_forms(sound, x) for x in ordered])


@torch.inference_mode()
def _time_forms(forms: Mapping[Form, Network], x: Tensor) -> Choice:
    if len(forms) == 1:
        return Choice(tuple(x.shape), next(iter(forms)), {})
    for network in forms.values():
        for _ in range(WARM_UP):
            network(x)
    taken: dict[Form, list[float]] = {form: [] for form in forms}
    for _ in range(ROUNDS):
        for form, network in forms.items():
            start = time.perf_counter()
            network(x)
            taken[form].append((time.perf_counter() - start) * 1000)
    milliseconds = {form: min(each) for form, each in taken.items()}
    return Choice(tuple(x.shape), min(milliseconds, key=milliseconds.__getitem__), milliseconds)


def _network(module: torch.jit.ScriptModule) -> Network:
    def run(x: Tensor) -> tuple[Tensor, ...]:
        answer = module(x)
        return (answer,) if isinstance(answer, Tensor) else tuple(answer)

    return run


def _elements(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())
