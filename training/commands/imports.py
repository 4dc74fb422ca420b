"""The command that makes a bundle of somebody else's network."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from training.commands.calibration import calibrate
from training.commands.options import DEFAULT_BUILD, DEFAULT_CONFIG, BuildOption, console
from training.data.errors import DataError
from training.encoder.input_format import Colours, InputFormat, Landmarks, parse_channels

app = typer.Typer()


@app.command("import-model")
def import_model(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="TorchScript, or ONNX named *.onnx.")],
    photos: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="Photos to calibrate on: NAME/photo.jpg."),
    ],
    out: Annotated[Path, typer.Option(help="The bundle to write.")],
    size: Annotated[int, typer.Option(min=16, max=512, help="Side of the crops that it reads, in pixels.")] = 112,
    landmarks: Annotated[Landmarks, typer.Option(help="Where the landmarks lie in its crops.")] = Landmarks.ARCFACE,
    colours: Annotated[Colours, typer.Option(help="The order of its channels.")] = Colours.RGB,
    mean: Annotated[str, typer.Option(help="Subtracted from values 0..255: one number or three.")] = "127.5",
    std: Annotated[str, typer.Option(help="Then divided by: one number or three.")] = "127.5",
    licence: Annotated[str, typer.Option(help="The licence of the weights, for the model card.")] = "its owner's",
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Makes a bundle of a network that maps aligned crops to vectors, with thresholds measured on your photos."""
    if out.is_dir():
        raise DataError(f"{out} is a folder. Name a file with --out, for example {out / 'mine.pt'}.")
    from training.encoder.imported import import_encoder

    reads = InputFormat(size, landmarks, colours, parse_channels(mean, "--mean"), parse_channels(std, "--std"))
    options = ["--size", str(size), "--landmarks", landmarks, "--colours", colours, "--mean", mean, "--std", std]
    command = shlex.join(["python", "-m", "training", "import-model", file.name, *options])
    out.parent.mkdir(parents=True, exist_ok=True)
    # The service refuses a bundle without thresholds, so the file appears under its name only with them.
    uncalibrated = out.with_name(f"{out.stem}.uncalibrated")
    try:
        bundle = import_encoder(file, reads, licence, command, uncalibrated)
        console.print(f"{file} maps crops of {size} pixels to {bundle.metadata.embedding_dim} numbers.", soft_wrap=True)
        calibrate(DEFAULT_CONFIG, None, build, str(uncalibrated), photos, out)
    finally:
        uncalibrated.unlink(missing_ok=True)
    console.print(f"Serve it with FACETWIN_BUNDLE={out}.", soft_wrap=True)
