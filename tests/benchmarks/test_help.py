import subprocess
import sys

import pytest

MODULES = ("__main__", "choices", "encoders", "endurance", "gallery.__main__", "trust.__main__")


@pytest.mark.parametrize("module", MODULES)
def test_a_command_loads_no_network_before_it_runs(module: str) -> None:
    code = f"import sys, benchmarks.{module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
