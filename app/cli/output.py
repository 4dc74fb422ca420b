"""What commands print, and how they end. Nothing here interprets markup: paths and names may contain brackets."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import typer

# Exit statuses. A command that answers no question ends with YES.
YES: Final = 0  # same person, found, nothing wrong
NO: Final = 1  # different people, not found, something is wrong
ERROR: Final = 2  # no answer; also typer's for a wrong option


def print_json(answer: Mapping[str, Any]) -> None:
    """Prints an answer of the service as indented JSON."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def print_json_line(answer: Mapping[str, Any]) -> None:
    """Prints one of several answers, as one line of JSON."""
    typer.echo(json.dumps(answer, ensure_ascii=False))


def print_lines(lines: Iterable[str]) -> None:
    """Prints lines of text."""
    for line in lines:
        typer.echo(line)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints columns, with nothing left out: a terminal wraps what is too wide, a file gets whole lines."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    if not console.is_terminal:
        console.width = max(console.measure(table, options=console.options.update(width=1_000_000)).maximum, 1)
    console.print(table)


def end_with(problems: Iterable[str]) -> NoReturn:
    """Prints what is wrong with the thing that was checked to standard error and exits with status NO."""
    typer.secho("\n".join(problems), fg="red", err=True)
    sys.exit(NO)


def fail(message: str) -> NoReturn:
    """Prints `message` to standard error and exits with status ERROR."""
    typer.secho(message, fg="red", err=True)
    sys.exit(ERROR)


@contextmanager
def fail_on(*errors: type[Exception]) -> Iterator[None]:
    """Turns the given errors into a message and exit status ERROR, without a traceback."""
    try:
        yield
    except BrokenPipeError:  # as in `... | head`: the program ends silently
        raise
    except errors as error:
        fail(describe_error(error))


def describe_error(error: Exception) -> str:
    """The message of an error, for somebody at a terminal."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"Cannot access {error.filename}: {error.strerror}."
    if isinstance(error, UnicodeDecodeError):
        return f"The input is not UTF-8 text: {error.reason} at byte {error.start}."
    return str(error)
