"""Runs commands of `facetwin`."""

from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from app.cli.application import cli


def run_command(*arguments: str | Path, exit_code: int = 0, **environment: Any) -> Result:
    """Runs a command, which must end with this status."""
    done = CliRunner().invoke(cli, [str(each) for each in arguments], env={"COLUMNS": "1000", **environment})
    assert done.exit_code == exit_code, done.output
    assert "Traceback" not in done.output
    return done
