"""The commands that make a bundle: prepare, train, export, calibrate, evaluate, and all of them in a row."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from model.encoder.bundle import BundleMetadata, load_bundle, reseal
from training.commands.options import (
    DEFAULT_BUILD,
    DEFAULT_CONFIG,
    BuildOption,
    BundleOption,
    ConfigOption,
    DataOption,
    console,
    experiment_of,
)
from training.config import Config
from training.data.photos import DataError, read_pairs
from training.experiment import inside
from training.model_card.results import Row, read_rows, write_row

app = typer.Typer()


@app.command()
def prepare(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    workers: Annotated[int | None, typer.Option(help="Processes; default: one a core.")] = None,
) -> None:
    """Decodes, finds and aligns every face, through the code that serves requests. Resumable."""
    from training.commands.output import tell_prepared
    from training.data.crops import prepare as run_prepare

    experiment = experiment_of(config, data, build)
    faces = run_prepare(experiment.photos, experiment.config.crops, experiment.prepared, workers)
    tell_prepared(faces, experiment.prepared)


@app.command()
def train(config: ConfigOption = DEFAULT_CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Trains, or goes on where it was interrupted. TensorBoard reads build/runs. On several GPUs or hosts:
    `torchrun ... -m training train ...`."""
    from training.encoder.factory import best_encoder
    from training.encoder.loop import train as run_train
    from training.optimization.distributed import joined

    experiment = experiment_of(config, data, build)
    with joined() as team:
        best = run_train(experiment.config, experiment.faces, experiment.split, experiment.run, team=team)
        if not team.leads:
            return
    _, story = best_encoder(experiment.config, experiment.run)
    figures = [name for name in story["history"][0] if name != "step"]
    table = Table("step", *figures, title="Every pair of the validation people, up to the best")
    for entry in story["history"]:
        table.add_row(f"{entry['step']:.0f}", *(f"{entry[name]:.4f}" for name in figures))
    console.print(table)
    console.print(f"The best weights are in {best}.")


@app.command()
def export(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    bundle: BundleOption = None,
) -> None:
    """Writes the best weights as a bundle, not calibrated yet."""
    from training.encoder.export import export as run_export

    experiment = experiment_of(config, data, build)
    target = Path(bundle) if bundle else experiment.shipped
    command = f"python -m training all --config {inside(config)}"
    made = run_export(experiment.config, experiment.faces, experiment.split, experiment.run, target, command)
    console.print(f"{target}: encoder {made.metadata.encoder_id[:12]}, {target.stat().st_size / 1e6:.1f} MB")


@app.command()
def calibrate(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    bundle: BundleOption = None,
    photos: Annotated[Path | None, typer.Option(help="Calibrate on this folder of NAME/photo.jpg instead.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write another bundle; default: reseal the same.")] = None,
) -> None:
    """Finds the operating points on people that the weights never saw and reseals the bundle with them."""
    from training.commands.output import tell_calibration, tell_prepared
    from training.data.crops import prepare_folder
    from training.evaluation.calibration import calibrate as run_calibrate
    from training.evaluation.calibration import without_label_errors
    from training.evaluation.embeddings import score
    from training.evaluation.plots import plot_det
    from training.metrics.verification import equal_error_rate

    experiment = experiment_of(config, data, build, needs_lfw=not photos)
    sealed = load_bundle(experiment.bundle_path(bundle))
    errors = () if photos else experiment.config.calibration.label_errors
    photos = photos or experiment.calibration_photos
    command = f"python -m training calibrate --config {inside(config)}"
    if photos:
        faces = prepare_folder(photos, sealed.metadata.crop_size, build)
        tell_prepared(faces, photos)
        scored = score(sealed, faces, frozenset(faces.people))
        description = f"{photos.name}: {len(set(faces.people))} people, {len(scored.names)} photos, every pair"
        command += f" --photos {photos.name}"
    else:
        faces = experiment.served
        scored = score(sealed, faces, experiment.split.calibration)
        people = len(experiment.split.calibration)
        description = f"{people} calibration people of LFW's peopleDevTrain ({len(scored.names)} photos), every pair"
    pairs = scored.all_pairs()
    found = run_calibrate(pairs, experiment.config.calibration.default_fmr, description, command)
    if errors:
        found = without_label_errors(found, scored.without(errors).all_pairs(), errors)
    reseal(replace(sealed, path=out) if out else sealed, calibration=found, detector=faces.detector)
    name = out.stem if out else sealed.metadata.name
    plots = Path("docs/plots") if sealed.path == experiment.shipped and not out else build / "plots"
    plot_det(
        pairs, f"{name}: every pair of {photos.name if photos else 'the calibration people'}", plots / f"{name}-det.png"
    )
    tell_calibration(found, equal_error_rate(pairs.genuine_histogram, pairs.impostor_histogram))


@app.command()
def evaluate(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    bundle: BundleOption = None,
    through: Annotated[str | None, typer.Option(metavar="URL", help="Compare with a running service instead.")] = None,
    photos: Annotated[Path | None, typer.Option(help="Report on this folder of NAME/photo.jpg instead.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="With --photos: a list of pairs (see training/data/photos.py).")
    ] = None,
) -> None:
    """Reports on the test people: View 1's listed pairs and every pair, and reseals the bundle with the figures. With
    --photos, on a folder of your own, and the bundle stays as it is."""
    from training.commands.output import report_folder, report_parity
    from training.evaluation.embeddings import score
    from training.evaluation.lfw import evaluate as run_evaluate
    from training.evaluation.plots import plot_roc, plot_scores

    experiment = experiment_of(config, data, build, needs_lfw=not photos)
    sealed = load_bundle(experiment.bundle_path(bundle))
    if photos:
        listed = f" --pairs {pairs.name}" if pairs else ""
        command = f"python -m training evaluate --bundle {sealed.path.stem} --photos {photos.name}{listed}"
        report_folder(sealed, photos, pairs, build, command)
        return
    if pairs:
        raise DataError("--pairs goes with --photos: name the folder that the pairs are in.")
    scored = score(sealed, experiment.served, experiment.split.test)
    if through:
        report_parity(experiment, sealed.metadata, scored, through)
        return
    command = f"python -m training evaluate --config {inside(config)}" + (f" --bundle {bundle}" if bundle else "")
    report = run_evaluate(sealed, scored, read_pairs(experiment.lists / "pairsDevTest.txt"), command)
    if sealed.metadata.evaluation and "view2" in sealed.metadata.evaluation:
        report["view2"] = sealed.metadata.evaluation["view2"]  # that of the recipe, which `view2` measures
    if not experiment.shipped.is_file():  # a recipe that ships nothing: its figure comes to the card as a row
        write_row(_row(experiment.config, sealed.metadata, report))
    report["rows"] = [asdict(row) for row in read_rows()]
    resealed = reseal(sealed, evaluation=report)
    assert resealed.metadata.calibration is not None
    every, name = scored.all_pairs(), sealed.metadata.name
    plots = Path("docs/plots") if sealed.path == experiment.shipped else build / "plots"
    plot_roc(every, f"{name}: every pair of LFW's peopleDevTest", plots / f"{name}-roc.png")
    plot_scores(
        every,
        resealed.metadata.calibration.at_fmr(),
        f"{name}: scores on LFW's peopleDevTest",
        plots / f"{name}-scores.png",
    )
    console.print_json(json.dumps(report))


def _row(config: Config, metadata: BundleMetadata, report: dict[str, Any]) -> Row:
    """The TAR by which the config's weights were chosen, on the test people. Raises DataError where their pairs do not
    support that rate."""
    from training.encoder.export import learned_from

    fmr = f"{config.training.validate_fmr:g}"
    tars = report["all_pairs"]["tar_at_fmr"]
    if fmr not in tars:
        raise DataError(f"The test people's pairs do not support an FMR of {fmr}.")
    return Row(
        config.name,
        f"{learned_from(config)}; from {metadata.training['started_from']}",
        "every pair of LFW's peopleDevTest, standard error by bootstrap over people",
        f"TAR at FMR {fmr}",
        tars[fmr]["value"],
        tars[fmr]["standard_error"],
        report["command"],
        metadata.git_commit,
        report["machine"],
    )


@app.command(name="all")
def everything(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    bundle: BundleOption = None,
) -> None:
    """prepare, train, export, calibrate, evaluate: the whole way to the config's bundle."""
    prepare(config, data, build)
    train(config, data, build)
    export(config, data, build, bundle)
    calibrate(config, data, build, bundle)
    evaluate(config, data, build, bundle)
