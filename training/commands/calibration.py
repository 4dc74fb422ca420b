"""The command that calibrates a bundle."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from training.commands.tables import print_calibration, print_prepared
from training.config import display_path
from training.data.errors import DataError

if TYPE_CHECKING:
    from model.calibration import Calibration
    from model.encoder.bundle import Bundle
    from training.evaluation.embeddings import Embeddings
    from training.experiment import Experiment

app = typer.Typer()


@app.command()
def calibrate(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    bundle: BundleOption = None,
    photos: Annotated[Path | None, typer.Option(help="Calibrate on this folder of NAME/photo.jpg instead.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a calibrated copy to this file. Default: update the bundle itself.")
    ] = None,
) -> None:
    """Measures the operating points on people that the weights have never seen and writes them into the bundle."""
    from model.encoder.bundle import load_bundle, update_metadata
    from training.evaluation.calibration import calibrate as calibrate_pairs
    from training.evaluation.calibration import with_label_errors
    from training.evaluation.plots import plot_det
    from training.metrics.verification import equal_error_rate

    experiment = open_experiment(config, data, build, needs_lfw=not photos)
    source = load_bundle(experiment.bundle_path(bundle))
    target = _choose_target(experiment, source, photos, out, config)
    folder = photos or experiment.calibration_photos
    embeddings, people, detector = _embed_calibration_people(experiment, source, folder)
    command = f"python -m training calibrate --config {display_path(config)}"
    command += f" --bundle {bundle}" if bundle else ""
    command += f" --photos {photos.resolve().name}" if photos else ""
    wanted_fmr = experiment.config.calibration.default_fmr
    pairs = embeddings.all_pairs()
    calibration = calibrate_pairs(pairs, wanted_fmr, f"{people}, every pair", command)
    label_errors = () if photos else experiment.config.calibration.label_errors
    if label_errors:
        calibration = with_label_errors(calibration, embeddings.without(label_errors).all_pairs(), label_errors)
    changes: dict[str, Any] = {"calibration": calibration, "detector": detector}
    # The old evaluation was measured at the old thresholds; View 2 has thresholds of its own.
    view2 = (source.metadata.evaluation or {}).get("view2")
    changes["evaluation"] = {"view2": view2} if view2 and not photos else None
    if out:
        changes["name"] = out.stem
        out.parent.mkdir(parents=True, exist_ok=True)
    calibrated = update_metadata(replace(source, path=target), **changes)
    plots = Path("docs/plots") if target == experiment.shipped_bundle else build / "plots"
    name = calibrated.metadata.name
    shown = folder.resolve().name if folder else "the calibration people"
    plot_det(pairs, f"{name}: every pair of {shown}", plots / f"{name}-det.png")
    print_calibration(calibration, equal_error_rate(pairs.genuine_histogram, pairs.impostor_histogram))
    _print_default_fmr_change(source.metadata.calibration, calibration, wanted_fmr)
    console.print(f"The calibrated bundle is {target}.", soft_wrap=True)


def _choose_target(
    experiment: "Experiment", bundle: "Bundle", photos: Path | None, out: Path | None, config: Path
) -> Path:
    """The file to write. Raises DataError if that is a shipped bundle and this is not the calibration of its config."""
    from model.encoder.bundle import shipped_bundles

    if out:
        if out.is_dir():
            raise DataError(f"{out} is a folder. Name a file with --out, for example {out / 'mine.pt'}.")
        return out
    is_shipped = bundle.path.resolve() in {path.resolve() for path in shipped_bundles().values()}
    if is_shipped and (photos or bundle.path.resolve() != experiment.shipped_bundle.resolve()):
        named = ["--bundle", bundle.path.stem, *(["--photos", str(photos)] if photos else [])]
        named += ["--out", f"{bundle.path.stem}-calibrated.pt"]
        command = shlex.join(["python", "-m", "training", "calibrate", "--config", display_path(config), *named])
        people = str(photos) if photos else f"the people of {display_path(config)}"
        raise DataError(
            f"{bundle.path.stem} is a shipped bundle; calibrating it on {people} would replace its measured error "
            f"rates. Write a copy instead: {command}"
        )
    return bundle.path


def _embed_calibration_people(
    experiment: "Experiment", bundle: "Bundle", folder: Path | None
) -> tuple["Embeddings", str, str]:
    """The embeddings to calibrate on, whose they are in words, and the name of the detector."""
    from training.data.crops import prepare_folder_for
    from training.evaluation.embeddings import embed_people

    if folder:
        faces = prepare_folder_for(bundle, folder, experiment.build)
        print_prepared(faces, folder)
        embeddings = embed_people(bundle, faces, frozenset(faces.people))
        people = f"{folder.resolve().name}: {len(set(faces.people))} people, {len(embeddings.names)} photos"
    else:
        faces = experiment.served_faces
        embeddings = embed_people(bundle, faces, experiment.split.calibration)
        count = len(experiment.split.calibration)
        people = f"{count} calibration people of LFW's peopleDevTrain ({len(embeddings.names)} photos)"
    return embeddings, people, faces.detector


def _print_default_fmr_change(old: "Calibration | None", new: "Calibration", wanted_fmr: float) -> None:
    if old is None or old.default_fmr == new.default_fmr:
        return
    lowest = new.default_fmr > wanted_fmr
    reason = "the lowest that these photos support" if lowest else "the default_fmr of the config"
    console.print(f"The default FMR changes from {old.default_fmr:.3g} to {new.default_fmr:.3g}, {reason}.")
