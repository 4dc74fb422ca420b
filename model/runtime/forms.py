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

WARM_UP: Final = 2  # calls: TorchScript specialises its code in them
MAX_ROUNDS: Final = 5  # timed calls of each form, in turn; the fastest of them counts
MIN_ROUNDS: Final = 2
ROUNDS_S: Final = 0.3  # no further round begins after so many seconds: long calls differ less from one to the next


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
        self._forms = dict(forms)

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """Runs the form of the smallest timed size that is not below this one's, else that of the largest."""
        return self._forms[self.form_for(x)](x)

    def form_for(self, x: Tensor) -> Form:
        """The form that runs for an input of this size."""
        size = x.numel()
        fitting = (choice for choice in self.choices if size <= _elements(choice.shape))
        return next(fitting, self.choices[-1]).form


def compile_forms(
    module: torch.jit.ScriptModule,
    example: Tensor,
    dynamic: Sequence[int],
    *,
    fusable: bool,
    bf16: bool = False,
    engine: Engine = Engine.TORCHSCRIPT,
) -> dict[Form, Network]:
    """Every form of `module` that can be compiled here; on a GPU only the frozen one.

    `example`: an input of usual size on the CPU; the lengths of its dimensions `dynamic` may differ later. `fusable`:
    whether the other dimensions have fixed lengths, as the layout of fused weights depends on them. `bf16`: whether
    bfloat16 is allowed.
    """
    forms: dict[Form, Network] = {Form.FROZEN: _network(freeze(module))}
    if next(iter(module.state_dict().values())).device.type != "cpu":
        return forms
    makers: dict[Form, Callable[[], Network | None]] = {}
    if fusable:
        makers[Form.FUSED] = lambda: _fused_network(module, example, bf16=False)
        if bf16:
            makers[Form.FUSED_BF16] = lambda: _fused_network(module, example, bf16=True)
    if engine is Engine.ONNXRUNTIME:
        makers[Form.ONNXRUNTIME] = lambda: compile_onnx(module, example, dynamic)
    for form, make in makers.items():
        try:
            network = make()
        except RuntimeError as error:  # the frozen form remains
            _log_refused(form, error)
            continue
        if network is not None:
            forms[form] = network
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
            _log_refused(form, error)
    if not sound:
        raise failures[0]
    ordered = sorted(inputs, key=Tensor.numel)
    return FastestNetwork(sound, [_time_forms(sound, x) for x in ordered])


def _log_refused(form: Form, error: Exception) -> None:
    log.warning("form refused", extra={"form": form.value, "reason": str(error)})


def _fused_network(module: torch.jit.ScriptModule, example: Tensor, *, bf16: bool) -> Network | None:
    frozen = freeze(module)
    fused = fuse(frozen, record_input_sizes(frozen, example), bf16=bf16)
    return None if fused is None else _network(fused)


@torch.inference_mode()
def _time_forms(forms: Mapping[Form, Network], x: Tensor) -> Choice:
    if len(forms) == 1:
        return Choice(tuple(x.shape), next(iter(forms)), {})
    for network in forms.values():
        for _ in range(WARM_UP):
            network(x)
    taken: dict[Form, list[float]] = {form: [] for form in forms}
    begun = time.perf_counter()
    for finished in range(MAX_ROUNDS):
        if finished >= MIN_ROUNDS and time.perf_counter() - begun > ROUNDS_S:
            break
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
