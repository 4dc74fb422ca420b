"""Properties of the processor that this process runs on."""

import os
import platform
from pathlib import Path

import torch


def processor_name() -> str:
    """Returns the name from /proc/cpuinfo, or the architecture on systems without it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def instruction_set() -> str:
    """Returns the widest vector instructions that both torch and oneDNN may use, such as `AVX512`, `AVX2` or `NEON`.

    The environment can restrict them to AVX2: ATEN_CPU_CAPABILITY for torch's own code, ONEDNN_MAX_CPU_ISA for oneDNN.
    Lower limits of oneDNN are not recognised.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return "NEON" if platform.machine().lower() in ("arm64", "aarch64") else platform.machine()
    torch_set = torch.backends.cpu.get_cpu_capability()
    onednn_limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    return "AVX2" if torch_set == "AVX512" and onednn_limit.startswith("AVX2") else torch_set


def has_bf16() -> bool:
    """Returns whether oneDNN supports bfloat16 here. It needs AVX-512 (BW) or AVX-NE-CONVERT."""
    return bool(torch._C._has_mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported())
