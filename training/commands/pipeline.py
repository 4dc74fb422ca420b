"""The commands that make a bundle: prepare, train, export, and all of them followed by calibrate and evaluate."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from training.commands.calibration import calibrate
from training.commands.evaluation import evaluate
from training.commands.options import (
    DEFAULT_BUILD,
    DEFAULT_CONFIG,
    BuildOption,
    BundleOption,
    ConfigOption,
    DataOption,
    console,
    open_experiment,
)
from training.commands.tables import print_prepared
from training.config import display_path

app = typer.Typer()


@app.command()
def prepare(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. Default: one a core.")] = None,
) -> None:
    """Detects and aligns every face, with the code that serves requests. Resumes where it was interrupted."""
    experiment = open_experiment(config, data, build)
    faces = experiment.prepare(workers)
    print_prepared(faces, experiment.crops_folder)


@app.command()
def train(config: ConfigOption = DEFAULT_CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Trains the encoder. Resumes where it was interrupted. TensorBoard reads build/runs. On several GPUs or hosts:
    `torchrun ... -m training train ...`."""
    from training.commands.encoder_training import train_experiment
    from training.encoder.factory import load_best_encoder
    from training.optimization.distributed import init_process_group

    experiment = open_experiment(config, data, build)
    with init_process_group() as group:
        best = train_experiment(experiment, experiment.split, experiment.run_folder, group)
        if not group.is_main:
            return
    _, checkpoint = load_best_encoder(experiment.config, experiment.run_folder)
    metrics = [name for name in checkpoint["history"][0] if name != "step"]
    table = Table("step", *metrics, title="Validation on every pair, up to the best step")
    for entry in checkpoint["history"]:
        table.add_row(f"{entry['step']:.0f}", *(f"{entry[name]:.4f}" for name in metrics))
    console.print(table)
    console.print(f"The best weights are in {best}.", soft_wrap=True)


@app.command()
def export(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    bundle: BundleOption = None,
) -> None:
    """Writes the best weights as a bundle that is not calibrated yet."""
    from training.encoder.export import export_bundle

    experiment = open_experiment(config, data, build)
    target = Path(bundle) if bundle else experiment.shipped_bundle
    command = f"python -m training all --config {display_path(config)}"
    exported = export_bundle(
        experiment.config, experiment.faces, experiment.split, experiment.run_folder, target, command
    )
    size = target.stat().st_size / 1e6
    console.print(f"{target}: encoder {exported.metadata.encoder_id[:12]}, {size:.1f} MB", soft_wrap=True)


@app.command(name="all")
def run_all(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    bundle: BundleOption = None,
) -> None:
    """Runs prepare, train, export, calibrate and evaluate: every step to the config's bundle."""
    # Raises before anything is overwritten if the photos to calibrate on are missing.
    _ = open_experiment(config, data, build).calibration_photos
    prepare(config, data, build)
    train(config, data, build)
    export(config, data, build, bundle)
    calibrate(config, data, build, bundle)
    evaluate(config, data, build, bundle)
