import platform

import pytest
import torch

from model.runtime.processor import instruction_set, processor_name


def test_the_processor_has_a_name() -> None:
    assert processor_name().strip()


@pytest.mark.parametrize(
    ("machine", "own", "limit", "expected"),
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
def test_the_instruction_set_is_the_lesser_of_what_there_is_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, machine: str, own: str, limit: str, expected: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: own)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert instruction_set() == expected
