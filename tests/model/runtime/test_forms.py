import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

import pytest
import torch
from torch import Tensor, nn

from model.encoder.bundle import MAX_CPU_BATCH, find_bundle, load_bundle
from model.runtime.forms import Engine, Form, Network, choose_fastest, compile_forms
from model.runtime.processor import instruction_set
from model.runtime.torchscript import BundleError, freeze, script

LOADED = """
import sys, torch
from model.runtime.forms import compile_forms
from model.runtime.torchscript import script
compile_forms(script(torch.nn.Conv2d(3, 4, 3)), torch.zeros(1, 3, 8, 8), (0,), fusable=True)
assert hasattr(torch.ops.torchvision, "nms")
slow = {"torchvision", "torch._dynamo", "sympy"} & set(sys.modules)
assert not slow, slow
"""


def sleeping(*seconds_by_size: float) -> Network:
    """Returns a network that takes the n-th duration for n rows."""

    def run(x: Tensor) -> tuple[Tensor, ...]:
        time.sleep(seconds_by_size[len(x) - 1])
        return (x,)

    return run


def accept(form: Form, network: Network) -> None:
    """Passes every form."""


def choose_forms(forms: dict[Form, Network], sizes: Sequence[int]) -> list[Form]:
    return [choice.form for choice in choose_fastest(forms, accept, [torch.zeros(size) for size in sizes]).choices]


def test_each_size_gets_the_form_that_is_fastest_for_it() -> None:
    forms = {Form.FROZEN: sleeping(0.001, 0.02), Form.FUSED: sleeping(0.01, 0.002)}
    assert choose_forms(forms, [2, 1]) == [Form.FROZEN, Form.FUSED]


def test_a_size_between_two_timed_ones_gets_the_form_of_the_larger() -> None:
    calls: list[tuple[Form, int]] = []

    def network(form: Form, fast_up_to: int) -> Network:
        def run(x: Tensor) -> tuple[Tensor, ...]:
            calls.append((form, len(x)))
            time.sleep(0.0 if (len(x) <= fast_up_to) is (form is Form.FROZEN) else 0.01)
            return (x,)

        return run

    forms = {form: network(form, 1) for form in (Form.FROZEN, Form.FUSED)}
    chosen = choose_fastest(forms, accept, [torch.zeros(1), torch.zeros(4)])
    calls.clear()
    for size in (1, 3, 9):
        chosen(torch.zeros(size))
    assert calls == [(Form.FROZEN, 1), (Form.FUSED, 3), (Form.FUSED, 9)]


def test_a_form_that_fails_its_check_is_not_chosen() -> None:
    def check(form: Form, network: Network) -> None:
        if form is Form.FUSED:
            raise BundleError("other vectors")

    forms = {Form.FROZEN: sleeping(0.01), Form.FUSED: sleeping(0.0)}
    chosen = choose_fastest(forms, check, [torch.zeros(1)])
    assert [choice.form for choice in chosen.choices] == [Form.FROZEN]
    assert chosen.choices[0].milliseconds == {}  # nothing to compare


def test_it_is_an_error_if_no_form_passes_its_check() -> None:
    def check(form: Form, network: Network) -> None:
        raise BundleError("other vectors")

    with pytest.raises(BundleError, match="other vectors"):
        choose_fastest({Form.FROZEN: sleeping(0.0)}, check, [torch.zeros(1)])


def test_every_form_computes_the_same() -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")
    torch.manual_seed(0)
    network = script(nn.Sequential(nn.Conv2d(3, 8, 3), nn.PReLU(8), nn.Flatten(), nn.Linear(8 * 36, 4)))
    x = torch.randn(5, 3, 8, 8)
    forms = compile_forms(network, x[:2], (0,), fusable=True, engine=Engine.ONNXRUNTIME)
    assert set(forms) == {Form.FROZEN, Form.FUSED, Form.ONNXRUNTIME}
    with torch.inference_mode():
        for run in forms.values():
            torch.testing.assert_close(run(x)[0], network(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("faces", [1, MAX_CPU_BATCH])
def test_the_chosen_form_is_not_slower_than_the_frozen_network(faces: int) -> None:
    bundle = load_bundle(find_bundle("deploy"))
    size = bundle.metadata.crop_size
    crops = torch.zeros(faces, size, size, 3, dtype=torch.uint8)
    plain = freeze(bundle.module)
    ratios = []
    with torch.inference_mode():
        for _ in range(3):
            plain(crops)
            bundle.serving(crops)
        for _ in range(9):
            start = time.perf_counter()
            plain(crops)
            between = time.perf_counter()
            bundle.serving(crops)
            ratios.append((time.perf_counter() - between) / (between - start))
    assert median(ratios) <= 1.15, f"on {instruction_set()}: {bundle.serving.choices}"


def test_loading_a_network_imports_no_compiler_that_takes_seconds() -> None:
    subprocess.run([sys.executable, "-c", LOADED], check=True, timeout=120)


def test_calls_that_take_long_are_timed_less_often() -> None:
    calls = 0

    def slow(x: Tensor) -> tuple[Tensor, ...]:
        nonlocal calls
        calls += 1
        time.sleep(0.2)
        return (x,)

    choose_fastest({Form.FROZEN: slow, Form.FUSED: sleeping(0.0)}, accept, [torch.zeros(1)])
    assert calls == 4  # two to warm up, two timed
