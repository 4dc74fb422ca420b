"""What the commands of `python -m training` share: their options, and the experiment that the options name."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from model.runtime.torchscript import BundleError
from training.config import ConfigError, load_config
from training.data.photos import DataError, data_folder
from training.experiment import CONFIGS, Experiment

console = Console()

ConfigOption = Annotated[Path, typer.Option("--config", help="The experiment, a TOML file.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="Holds lfw/; default: FACETWIN_DATA or data.")]
BuildOption = Annotated[Path, typer.Option("--build", help="Where crops, checkpoints and reports go.")]
BundleOption = Annotated[str | None, typer.Option("--bundle", help="A name or a path; default: the config's.")]
UrlOption = Annotated[str, typer.Option("--through", metavar="URL", help="A running service.")]
DEFAULT_CONFIG: Final = CONFIGS / "lfw.toml"
DEFAULT_BUILD: Final = Path("build")


def experiment_of(config: Path, data: Path | None, build: Path, *, needs_lfw: bool = True) -> Experiment:
    """Raises DataError where LFW is needed and neither named nor found."""
    return Experiment(load_config(config), data or (data_folder() if needs_lfw else Path("data")), build)


@contextmanager
def in_words() -> Iterator[None]:
    """What somebody can mend is told without a traceback, and the program ends with 1."""
    try:
        yield
    except (ConfigError, DataError, BundleError) as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(1)
