import pytest
import typer
from typer.testing import CliRunner

from model.runtime.torchscript import BundleError
from training.commands.options import CommandGroup
from training.config import ConfigError
from training.data.errors import DataError


def run_raising(error: Exception) -> tuple[int, str]:
    """The exit code and output of a command that raises `error`."""
    app = typer.Typer(cls=CommandGroup)

    @app.command()
    def fail() -> None:
        raise error

    @app.command()
    def other() -> None: ...

    result = CliRunner().invoke(app, ["fail"], catch_exceptions=False)
    return result.exit_code, result.output.rstrip("\n")


@pytest.mark.parametrize("kind", [ConfigError, DataError, BundleError])
def test_an_error_that_the_user_can_fix_is_printed_without_a_traceback(kind: type[Exception]) -> None:
    message = (
        "my [bold]photos[/bold]/" + "long" * 40 + " is missing :smile:"
    )  # markup, longer than a line, an emoji code
    assert run_raising(kind(message)) == (1, message)


def test_a_missing_optional_package_names_its_extra() -> None:
    error = ModuleNotFoundError("No module named 'skimage.data'", name="skimage.data")
    assert run_raising(error) == (1, "skimage is not installed. Install it with `pip install 'facetwin[train]'`.")


def test_an_unreadable_file_is_named() -> None:
    assert run_raising(PermissionError(13, "Permission denied", "a [b].json")) == (1, "a [b].json: Permission denied.")


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), ModuleNotFoundError("No module named 'numpy'", name="numpy"), OSError("no file")]
)
def test_any_other_error_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        run_raising(error)
