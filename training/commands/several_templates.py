"""The command that measures several templates of one person, and remembered rejections."""

from typing import Annotated

import typer
from rich.table import Table

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

app = typer.Typer()


@app.command()
def several_templates(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    bundle: BundleOption = None,
    fmr: Annotated[float, typer.Option(min=1e-6, max=0.5, help="False match rate at which to compare.")] = 1e-3,
    draws: Annotated[int, typer.Option(min=1, help="Random choices of templates.")] = 5,
) -> None:
    """Compares the best of several templates with their mean, on the config's validation people."""
    from model.encoder.bundle import load_bundle
    from training.data.crops import crop_config_for, prepare_crops
    from training.evaluation.embeddings import embed_people
    from training.evaluation.several_templates import try_rejections, try_templates

    experiment = open_experiment(config, data, build)
    people = experiment.split.validation
    photos = [photo for photo in experiment.photos if photo.person in people]
    loaded = load_bundle(experiment.bundle_path(bundle))
    faces = prepare_crops(photos, crop_config_for(loaded), build, "validation")
    embeddings = embed_people(loaded, faces, people)
    owners = [name.split("/")[0] for name in embeddings.names]
    table = Table("templates", "people", "genuine", "impostor", "FMR of the best", "1 - (1 - FMR)^k", "FNMR best")
    table.add_column("fused")
    table.add_column("best of both")
    for count in (1, 2, 3, 5):
        trial = try_templates(embeddings.vectors, owners, count, fmr, draws)
        table.add_row(
            *(f"{each:,}" for each in (trial.templates, trial.people, trial.genuine, trial.impostor)),
            *(f"{each:.3%}" for each in (trial.false_matches, trial.expected)),
            *(f"{each:.2%}" for each in (trial.fnmr_best, trial.fnmr_fused, trial.fnmr_both)),
        )
    console.print(f"{loaded.metadata.name} {loaded.metadata.version}, FMR {fmr:g}, {len(owners):,} photos")
    console.print(table)
    calibration = loaded.metadata.calibration
    if calibration is not None:
        console.print(try_rejections(embeddings.vectors, owners, calibration.at_fmr(fmr).threshold))
