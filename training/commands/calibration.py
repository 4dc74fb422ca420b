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
from training.commands.tables import print_calibration
from training.config import display_path
from training.data.errors import DataError

if TYPE_CHECKING:
    from model.calibration import Calibration
    from model.encoder.bundle import Bundle
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
    keep_floors: Annotated[
        bool, typer.Option(help="Keep the bundle's floors of recognizability, which take long to choose again.")
    ] = False,
) -> None:
    """Measures the operating points on people that the weights have never seen and writes them into the bundle."""
    from model.encoder.bundle import load_bundle, update_metadata
    from training.evaluation.calibration.people import gather_people
    from training.evaluation.calibration.points import calibrate as calibrate_pairs
    from training.evaluation.calibration.points import with_label_errors
    from training.evaluation.plots import plot_det
    from training.evaluation.trust.reliability import cross_fit
    from training.metrics.pooling import PooledPairs
    from training.metrics.verification import equal_error_rate

    experiment = open_experiment(config, data, build, needs_lfw=not photos)
    source = load_bundle(experiment.bundle_path(bundle))
    target = _choose_target(experiment, source, photos, out, config)
    people = gather_people(experiment, source, photos)
    command = f"python -m training calibrate --config {display_path(config)}"
    command += f" --bundle {bundle}" if bundle else ""
    command += f" --photos {photos.resolve().name}" if photos else ""
    command += " --keep-floors" if keep_floors else ""
    wanted_fmr = experiment.config.calibration.default_fmr
    pooled = PooledPairs(people.pairs())
    calibration = calibrate_pairs(pooled, wanted_fmr, f"{people.description}, every pair", command, people.groups)
    label_errors = () if photos else experiment.config.calibration.label_errors
    if label_errors:
        calibration = with_label_errors(calibration, PooledPairs(people.pairs(label_errors)), label_errors)
    # Floors need many strangers with degraded photos. Without them, the bundle keeps its own: the encoder is the same.
    before = source.metadata.calibration
    floors = None if keep_floors else people.choose_floors(source, calibration)
    floors = floors or (before.recognizability if before else None)
    calibration = replace(calibration, recognizability=floors)
    detector = people.detector
    changes: dict[str, Any] = {"calibration": calibration, "detector": detector}
    # The old evaluation was measured at the old thresholds; View 2 has thresholds of its own.
    kept = {key: value for key, value in (source.metadata.evaluation or {}).items() if key == "view2"}
    if not photos:
        kept["cross_fit"] = cross_fit(people.halves())
        console.print(f"Probability, fitted on one half of the people and tested on the other: {kept['cross_fit']}")
    changes["evaluation"] = kept if kept and not photos else None
    if out:
        changes["name"] = out.stem
        out.parent.mkdir(parents=True, exist_ok=True)
    calibrated = update_metadata(replace(source, path=target), **changes)
    plots = Path("docs/plots") if target == experiment.shipped_bundle else build / "plots"
    name = calibrated.metadata.name
    largest = max(pooled.with_genuine, key=lambda pairs: pairs.people)
    plot_det(largest, f"{name}: every pair of {people.largest}", plots / f"{name}-det.png")
    print_calibration(calibration, equal_error_rate(largest.genuine_histogram, largest.impostor_histogram))
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


def _print_default_fmr_change(old: "Calibration | None", new: "Calibration", wanted_fmr: float) -> None:
    if old is None or old.default_fmr == new.default_fmr:
        return
    lowest = new.default_fmr > wanted_fmr
    reason = "the lowest that these photos support" if lowest else "the default_fmr of the config"
    console.print(f"The default FMR changes from {old.default_fmr:.3g} to {new.default_fmr:.3g}, {reason}.")
