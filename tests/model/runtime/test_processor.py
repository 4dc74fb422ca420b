import platform

import pytest
import torch

from model.runtime.processor import instruction_set, processor_name


def test_the_processor_has_a_name() -> None:
    assert processor_name().strip()


@pytest.mark.parametrize(
    ("machine", "torch_set", "onednn_limit", "expected"),
    [
        ("x86_64", "AVX512", "", "AVX512"),
        ("x86_64", "AVX2", "", "AVX2"),
        ("x86_64", "AVX512", "AVX2", "AVX2"),
        ("x86_64", "AVX512", "AVX2_VNNI", "AVX2"),
        ("x86_64", "DEFAULT", "AVX2", "DEFAULT"),
        ("aarch64", "DEFAULT", "", "NEON"),
        ("arm64", "DEFAULT", "", "NEON"),
    ],
)
def test_instruction_set_is_the_widest_that_torch_and_onednn_may_use(
    monkeypatch: pytest.MonkeyPatch, machine: str, torch_set: str, onednn_limit: str, expected: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: torch_set)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", onednn_limit)
    assert instruction_set() == expected
