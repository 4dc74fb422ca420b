"""What commands print, and how they end on an error. Nothing here interprets markup: paths may contain brackets."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer


def print_json(answer: dict[str, Any]) -> None:
    """Prints an answer of the service as indented JSON."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def fail(message: str) -> NoReturn:
    """Prints `message` to standard error and exits with status 1."""
    typer.secho(message, fg="red", err=True)
    sys.exit(1)


@contextmanager
def fail_on(*errors: type[Exception]) -> Iterator[None]:
    """Turns the given errors into a message and exit status 1, without a traceback."""
    try:
        yield
    except BrokenPipeError:  # as in `... | head`: the program ends silently
        raise
    except errors as error:
        fail(_describe(error))


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"Cannot access {error.filename}: {error.strerror}."
    if isinstance(error, UnicodeDecodeError):
        return f"The input is not UTF-8 text: {error.reason} at byte {error.start}."
    return str(error)
