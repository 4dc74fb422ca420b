"""The commands that evaluate a bundle and compare two."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

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
from training.commands.tables import print_prepared
from training.config import Config, display_path
from training.data.errors import DataError

if TYPE_CHECKING:
    from model.encoder.bundle import Bundle, BundleMetadata
    from training.evaluation.embeddings import Embeddings
    from training.experiment import Experiment
    from training.model_card.results import Result

FACELESS_PHOTOS: Final = 250  # without people, whose crops are compared with each other
HARDEST_PAIRS: Final = 100  # of each kind on the page that belongs to a report
MAX_DIFFERENCE: Final = 1e-4  # of similarity, between the service and the bundle offline

app = typer.Typer()


@app.command()
def evaluate(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    bundle: BundleOption = None,
    service: Annotated[
        str | None, typer.Option(metavar="URL", help="Compare the bundle with this running service instead.")
    ] = None,
    photos: Annotated[Path | None, typer.Option(help="Evaluate on this folder of NAME/photo.jpg instead.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="With --photos: a list of pairs (see training/data/pairs.py).")
    ] = None,
) -> None:
    """Evaluates on the test people, on View 1's pairs and on every pair, and writes the figures into the bundle. With
    --photos it evaluates on your own folder and leaves the bundle as it is."""
    from model.encoder.bundle import load_bundle
    from training.evaluation.embeddings import embed_people

    if pairs and not photos:
        raise DataError("--pairs needs --photos: name the folder that holds the photos of the pairs.")
    experiment = open_experiment(config, data, build, needs_lfw=not photos)
    loaded = load_bundle(experiment.bundle_path(bundle))
    if photos:
        _evaluate_folder(loaded, photos, pairs, build)
        return
    embeddings = embed_people(loaded, experiment.served_faces, experiment.split.test)
    if service:
        _check_service_parity(experiment, loaded.metadata, embeddings, service)
        return
    command = f"python -m training evaluate --config {display_path(config)}" + (f" --bundle {bundle}" if bundle else "")
    _evaluate_test_people(experiment, loaded, embeddings, command)


@app.command()
def compare(
    first: str,
    second: str,
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """TAR of SECOND minus TAR of FIRST on every pair of the test people, by a paired bootstrap over people."""
    from model.encoder.bundle import find_bundle, load_bundle
    from training.evaluation.embeddings import embed_people
    from training.evaluation.lfw import compare_tar

    experiment = open_experiment(config, data, build)
    bundles = [load_bundle(find_bundle(name)) for name in (first, second)]
    before, after = (embed_people(each, experiment.served_faces, experiment.split.test).all_pairs() for each in bundles)
    table = Table("FMR", f"TAR {first}", f"TAR {second}", "difference", "standard error", "95 % limits")
    for fmr, difference in compare_tar(before, after).items():
        low, high = difference.interval
        table.add_row(
            f"{fmr:g}",
            f"{before.tar_at(fmr):.4f}",
            f"{after.tar_at(fmr):.4f}",
            f"{difference.value:+.4f}",
            f"{difference.standard_error:.4f}",
            f"{low:+.4f}..{high:+.4f}",
        )
    console.print(table)


def _evaluate_test_people(experiment: "Experiment", bundle: "Bundle", embeddings: "Embeddings", command: str) -> None:
    from model.encoder.bundle import update_metadata
    from training.data.pairs import read_pairs
    from training.evaluation.calibration.points import require_calibration
    from training.evaluation.lfw import evaluate_lfw
    from training.evaluation.plots import plot_reliability, plot_roc, plot_scores
    from training.model_card.results import read_results, write_result

    metadata = bundle.metadata
    report = evaluate_lfw(bundle, embeddings, read_pairs(experiment.lists / "pairsDevTest.txt"), command)
    if experiment.config.calibration.strangers:
        report["strangers"] = _evaluate_strangers(experiment, bundle)
    kept = metadata.evaluation or {}  # measured by the commands view2 and calibrate
    report |= {key: kept[key] for key in ("view2", "cross_fit") if key in kept}
    if not experiment.shipped_bundle.is_file():  # the model card shows such a recipe in its table of results
        write_result(_summarise(experiment.config, metadata, report))
    report["results"] = [asdict(result) for result in read_results()]
    update_metadata(bundle, evaluation=report)
    pairs, name = embeddings.all_pairs(), metadata.name
    plots = Path("docs/plots") if bundle.path == experiment.shipped_bundle else experiment.build / "plots"
    plot_roc(pairs, f"{name}: every pair of LFW's peopleDevTest", plots / f"{name}-roc.png")
    point = require_calibration(metadata).at_fmr()
    plot_scores(pairs, point, f"{name}: scores on LFW's peopleDevTest", plots / f"{name}-scores.png")
    reliability = {"LFW's test people": report["people"]["probability"]}
    for half, each in enumerate(report.get("cross_fit", {"halves": []})["halves"], 1):
        reliability[f"calibration people, half {half} by the other"] = each
    plot_reliability(reliability, f"{name}: is the probability right?", plots / f"{name}-reliability.png")
    console.print_json(json.dumps(report))


def _evaluate_strangers(experiment: "Experiment", bundle: "Bundle") -> dict[str, Any]:
    from training.data.crops import prepare_folder_for
    from training.data.faceless_crops import crop_anywhere
    from training.data.sets.utkface import FOLDER as UTKFACE
    from training.detector.photo_sets import load_faceless_sets
    from training.evaluation.trust.report import evaluate_origins, evaluate_strangers

    folder = experiment.find_folder(experiment.config.calibration.strangers)
    strangers = prepare_folder_for(bundle, folder, experiment.build)
    photos = [photo for each in load_faceless_sets(experiment.data) for photo in each.labels.photos]
    faceless = crop_anywhere(photos[:: max(len(photos) // FACELESS_PHOTOS, 1)], bundle.metadata.crop_size, seed=1)
    people = sorted(experiment.split.test)
    report = evaluate_strangers(bundle, people, experiment.served_faces, strangers, faceless)
    try:
        origins = experiment.find_folder(UTKFACE)
    except DataError:  # for testing only, and not everybody has it
        return report
    return {**report, "origins": evaluate_origins(bundle, prepare_folder_for(bundle, origins, experiment.build))}


def _summarise(config: Config, metadata: "BundleMetadata", report: dict[str, Any]) -> "Result":
    """TAR on the test people at the FMR that chose the weights. Raises DataError if their pairs do not support it."""
    from training.encoder.export import describe_data_sources
    from training.model_card.results import Result

    fmr = f"{config.training.validate_fmr:g}"
    tars = report["all_pairs"]["tar_at_fmr"]
    if fmr not in tars:
        raise DataError(f"The test people have too few pairs for an FMR of {fmr}, the config's validate_fmr.")
    return Result(
        recipe=config.name,
        learned_from=f"{describe_data_sources(config)}; from {metadata.training['started_from']}",
        protocol="every pair of LFW's peopleDevTest, standard error by bootstrap over people",
        figure=f"TAR at FMR {fmr}",
        value=tars[fmr]["value"],
        standard_error=tars[fmr]["standard_error"],
        command=report["command"],
        commit=metadata.git_commit,
        machine=report["machine"],
    )


def _check_service_parity(
    experiment: "Experiment", metadata: "BundleMetadata", embeddings: "Embeddings", url: str
) -> None:
    """Sends View 1's pairs to the service. Raises DataError if it does not answer as the bundle does offline."""
    from training.data.pairs import read_pairs
    from training.data.photos import find_photos
    from training.data.sets.lfw import lfw_photo_source
    from training.evaluation.calibration.points import require_calibration
    from training.evaluation.service_client import ServiceClient
    from training.evaluation.service_parity import measure_parity

    threshold = require_calibration(metadata).at_fmr().threshold
    pairs = read_pairs(experiment.lists / "pairsDevTest.txt")
    service = ServiceClient(url, find_photos(lfw_photo_source(experiment.data)))
    parity = measure_parity(service, embeddings, pairs, threshold, metadata.encoder_id)
    table = Table("pairs", "largest difference", "different verdicts", "photos without a face")
    table.add_row(
        str(parity.pairs),
        f"{parity.largest_difference:.2g}",
        str(parity.different_verdicts),
        ", ".join(parity.without_face) or "none",
    )
    console.print(table)
    if parity.largest_difference > MAX_DIFFERENCE or parity.different_verdicts:
        raise DataError("The service does not answer as the bundle does offline.")


def _evaluate_folder(bundle: "Bundle", photos: Path, pairs: Path | None, build: Path) -> None:
    """Writes report.json, plots and a page of the hardest pairs of a user's own folder below `build`."""
    import numpy as np

    from training.data.crops import prepare_folder_for
    from training.data.pairs import read_pair_list
    from training.evaluation.calibration.points import require_calibration
    from training.evaluation.embeddings import embed_people
    from training.evaluation.folder import evaluate_folder
    from training.evaluation.hardest_pairs import find_hardest_pairs, write_html
    from training.evaluation.plots import MIN_PLOTTED_PAIRS, can_plot, plot_det, plot_roc, plot_scores

    point = require_calibration(bundle.metadata).at_fmr()
    folds = read_pair_list(pairs) if pairs else []
    faces = prepare_folder_for(bundle, photos, build)
    print_prepared(faces, photos)
    people = frozenset([*faces.people, *(name.split("/")[0] for name in faces.missing)])
    embeddings = embed_people(bundle, faces, people)
    folder = photos.resolve().name
    command = f"python -m training evaluate --bundle {bundle.path.stem} --photos {folder}"
    command += f" --pairs {pairs.name}" if pairs else ""
    report = evaluate_folder(bundle, embeddings, folds, f"{folder}: {len(people)} people", command)
    target = build / "evaluations" / f"{bundle.metadata.name}-{folder}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "report.json").write_text(json.dumps(report, indent=1))
    scores = embeddings.all_pairs()
    if can_plot(scores):
        title = f"{bundle.metadata.name}: every pair of {folder}"
        plot_roc(scores, title, target / "roc.png")
        plot_det(scores, title, target / "det.png")
        plot_scores(scores, point, title, target / "scores.png")
    else:
        console.print(f"No plots: they need {MIN_PLOTTED_PAIRS} impostor pairs and a genuine pair.")
    impostor, genuine = find_hardest_pairs(embeddings.vectors, faces.people, HARDEST_PAIRS)
    rows = np.arange(len(faces.names))
    write_html(f"{bundle.metadata.name} on {folder}", faces, rows, impostor, genuine, target / "hardest-pairs.html")
    console.print_json(json.dumps(report))
    console.print(f"The report, the plots and a page of the hardest pairs are in {target}.", soft_wrap=True)
