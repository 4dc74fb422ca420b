"""Runs the commands of `python -m training` in this process."""

from typer.testing import CliRunner, Result

from training.__main__ import app


def run(*arguments: object) -> Result:
    """The output and exit code. An exception that the command does not report is raised."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
