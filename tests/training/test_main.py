import subprocess
import sys

HELP = """
import sys
from typer.main import get_command
from typer.testing import CliRunner
from training.__main__ import app

def print_help(command, names):
    result = CliRunner().invoke(app, [*names, "--help"])
    assert result.exit_code == 0 and "Usage" in result.output, (names, result.output)
    for name, child in getattr(command, "commands", {}).items():
        print_help(child, [*names, name])

print_help(get_command(app), [])
slow = {"matplotlib", "pandas", "skimage", "torch", "torchvision"} & set(sys.modules)
assert not slow, slow
"""


def test_help_does_not_import_torch() -> None:
    subprocess.run([sys.executable, "-c", HELP], check=True, timeout=60)


def test_the_module_runs() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "training", "--help"]
    finished = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert "calibrate" in finished.stdout
    imported = {line.rsplit("|", 1)[-1].strip() for line in finished.stderr.splitlines()}
    assert "typer" in imported
    assert "torch" not in imported
