"""The processor that this process runs on."""

import os
import platform
from pathlib import Path

import torch


def processor_name() -> str:
    """The name that the system gives it, or its architecture where it gives none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def instruction_set() -> str:
    """The widest vector instructions that torch and oneDNN may use here, such as `AVX512`, `AVX2` or `NEON`.

    The environment can forbid some of what the processor has: ATEN_CPU_CAPABILITY for torch's own code,
    ONEDNN_MAX_CPU_ISA for oneDNN's. Then the answer is the lesser set.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return "NEON" if platform.machine().lower() in ("arm64", "aarch64") else platform.machine()
    own = torch.backends.cpu.get_cpu_capability()
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    return "AVX2" if own == "AVX512" and limit.startswith("AVX2") else own


def has_bf16() -> bool:
    """Whether oneDNN can multiply bfloat16 numbers here: it needs AVX-512 (BW) or AVX-NE-CONVERT."""
    return bool(torch._C._has_mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported())
