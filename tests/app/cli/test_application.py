import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from app.cli.application import cli

HEAVY = ("torch", "faiss", "sqlalchemy", "fastapi", "matplotlib", "uvicorn")
SCRIPT = f"""
import json, sys
from app.cli import main
sys.argv = ["facetwin", *json.loads(sys.argv[1])]
try:
    main()
finally:
    print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [[], ["gallery"], ["verify"], ["enroll-all"], ["serve"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([*arguments, "--help"])], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert json.loads(done.stderr) == []


def test_the_help_lists_every_command() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    for command in ("serve", "verify", "enroll", "enroll-all", "rename", "merge", "identify", "identities", "delete"):
        assert f" {command} " in output
