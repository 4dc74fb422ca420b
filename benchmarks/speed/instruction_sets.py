"""Measurements in a process that is limited to a part of the processor's instructions."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from model.runtime.processor import instruction_set

# These variables limit torch, oneDNN, MKL, and OpenBLAS (used by numpy and dlib). ONNX Runtime has no such setting: it
# uses AVX-512 wherever the processor has it.
AVX2_ONLY: Final = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}


def environments_to_measure() -> list[Mapping[str, str]]:
    """Returns an environment without limits and, on a processor with AVX-512, one that is limited to AVX2."""
    return [{}, AVX2_ONLY] if instruction_set() == "AVX512" else [{}]


def run_measurement(module: str, environment: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """Runs `python -m module ARGUMENTS FILE` in that environment and returns the JSON that it writes to FILE."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, "-m", module, *arguments, str(file)]
        subprocess.run(command, check=True, env={**os.environ, **environment})
        figures: dict[str, Any] = json.loads(file.read_text())
    return figures
