"""One measurement in a process that may use only some of the processor's instructions."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from model.runtime.processor import instruction_set

# What limits torch, oneDNN, MKL and OpenBLAS (of numpy and dlib). ONNX Runtime has no such setting: where the processor
# has AVX-512, it uses it in every column.
AVX2_ONLY: Final = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}


def settings_to_measure() -> list[Mapping[str, str]]:
    """Environments: everything that this processor has; then AVX2 alone, where it has more."""
    return [{}, AVX2_ONLY] if instruction_set() == "AVX512" else [{}]


def measured(module: str, environment: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """Runs `python -m module ARGUMENTS FILE` in that environment and returns the JSON that it writes to FILE."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, "-m", module, *arguments, str(file)]
        subprocess.run(command, check=True, env={**os.environ, **environment})
        figures: dict[str, Any] = json.loads(file.read_text())
    return figures
