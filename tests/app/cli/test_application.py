import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from app.cli.application import cli
from tests.support.commands import run_command

HEAVY = ("torch", "numpy", "faiss", "sqlalchemy", "fastapi", "matplotlib", "uvicorn", "httpx", "PIL")
HELP = f"""
import json, sys
from typer.main import get_command
from typer.testing import CliRunner
from app.cli.application import cli

def print_help(command, names):
    result = CliRunner().invoke(cli, [*names, "--help"])
    assert result.exit_code == 0 and "Usage" in result.output, (names, result.output)
    for name, child in getattr(command, "commands", {{}}).items():
        print_help(child, [*names, name])

print_help(get_command(cli), [])
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""


def commands(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is no group, with its words."""
    children = getattr(command, "commands", None)
    if children is None:
        yield names, command
    for name, child in (children or {}).items():
        yield from commands(child, (*names, name))


COMMANDS = dict(commands(get_command(cli)))


def test_no_help_imports_anything_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout) == []


def test_the_command_itself_imports_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "from app.cli import main; main()", "verify", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Usage" in done.stdout
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & set(HEAVY)


def test_the_help_lists_every_command() -> None:
    output = run_command("--help").output
    for command in ("serve", "verify", "enroll", "enroll-all", "identify", "people", "gallery", "model", "doctor"):
        assert f" {command} " in output


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_that_it_understands(names: tuple[str, ...]) -> None:
    command = COMMANDS[names]
    assert command.epilog
    start, *words = shlex.split(command.epilog.removeprefix("Example: "))
    assert start == "facetwin"
    assert tuple(words[: len(names)]) == names
    arguments = words[len(names) :]
    arguments = arguments[: arguments.index(">")] if ">" in arguments else arguments
    options = {option: parameter for parameter in command.params for option in parameter.opts}
    used = [word for word in arguments if word.startswith("--")]
    assert set(used) <= set(options)
    values = [word for word in used if not getattr(options[word], "is_flag", False)]
    given = len(arguments) - len(used) - len(values)
    kinds = [each for each in command.params if each.param_type_name == "argument"]
    assert sum(each.required for each in kinds) <= given <= len(kinds)


def test_every_command_describes_every_option() -> None:
    undescribed = [
        (" ".join(names), each.name) for names, command in COMMANDS.items() for each in command.params if not each.help
    ]
    assert undescribed == []
