"""Commands that compare, repeat and try out what the pipeline made: View 2, two bundles, a trial of identification."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.table import Table

from model.encoder.bundle import find_bundle, load_bundle, reseal, shipped_bundles
from model.encoder.network import SiameseEncoder
from training.commands.options import (
    DEFAULT_BUILD,
    DEFAULT_CONFIG,
    BuildOption,
    ConfigOption,
    DataOption,
    UrlOption,
    console,
    experiment_of,
)
from training.config import Config, load_config
from training.data.photos import DataError, data_folder, find_photos, lfw_photos
from training.experiment import CONFIGS, inside
from training.model_card.results import Row, write_row
from training.provenance import machine

CARD: Final = Path("model/MODEL_CARD.md")
REPORTS: Final = Path("docs/reports/view2")
PLOTS: Final = Path("docs/plots")
app = typer.Typer()


@app.command()
def compare(
    first: str,
    second: str,
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """TAR of SECOND minus TAR of FIRST on every pair of the test people, by a paired bootstrap over people."""
    from training.evaluation.embeddings import score
    from training.evaluation.lfw import compare as run_compare

    experiment = experiment_of(config, data, build)
    bundles = [load_bundle(find_bundle(name)) for name in (first, second)]
    scored = [score(each, experiment.served, experiment.split.test).all_pairs() for each in bundles]
    table = Table("FMR", f"TAR {first}", f"TAR {second}", "difference", "standard error", "95 % limits")
    for fmr, difference in run_compare(scored[0], scored[1]).items():
        low, high = difference.interval
        table.add_row(
            f"{fmr:g}",
            f"{scored[0].tar_at(fmr):.4f}",
            f"{scored[1].tar_at(fmr):.4f}",
            f"{difference.value:+.4f}",
            f"{difference.standard_error:.4f}",
            f"{low:+.4f}..{high:+.4f}",
        )
    console.print(table)


@app.command()
def identification(
    through: UrlOption,
    data: DataOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    count: Annotated[int, typer.Option(help="People enrolled, and as many who are not.")] = 50,
    gallery: Annotated[str, typer.Option(help="Erased first.")] = "identification-trial",
    again: Annotated[bool, typer.Option(help="Enroll nobody; compare with the first trial.")] = False,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Enrolls people of the test list from one photo each and searches: rank-1, FNIR, FPIR."""
    from training.data.photos import read_people
    from training.evaluation.service_parity import Identified, Service, spread
    from training.evaluation.service_parity import identification as run_identification

    folder = data or data_folder()
    people = frozenset(read_people(folder / "lfw" / load_config(config).data.test_people))
    photos = find_photos(lfw_photos(folder))
    notes = build / "identification.json"
    result = run_identification(Service(through, photos), photos, people, count, gallery, enroll=not again)
    table = Table("enrolled", "mated probes", "strangers", "rank-1", "FNIR", "FPIR", "threshold", "target FPIR met")
    table.add_row(
        str(result.enrolled),
        str(result.mated),
        str(result.nonmated),
        f"{result.rank1:.2f}",
        f"{result.fnir:.2f}",
        f"{result.fpir:.2f}",
        f"{result.threshold:.4f}",
        str(result.target_met),
    )
    console.print(table)
    if again:
        saved = json.loads(notes.read_text())
        saved["answers"] = tuple(tuple(answer) for answer in saved["answers"])
        difference = spread(Identified(**saved), result)
        console.print(f"Largest difference in similarity to the first trial: {difference:.2g}")
        if difference > 1e-4:
            raise DataError("The answers are not those of the first trial.")
        return
    notes.parent.mkdir(parents=True, exist_ok=True)
    notes.write_text(json.dumps(asdict(result)))


@app.command()
def view2(
    config: ConfigOption = DEFAULT_CONFIG,
    folds: Annotated[str, typer.Option(help="Those to train now, such as 1-10 or 3,5.")] = "1-10",
    bundle: Annotated[str | None, typer.Option(help="Reseal this bundle with the figure of its recipe.")] = None,
    results: Annotated[Path, typer.Option(help="Gets a small file for each fold that is done.")] = REPORTS,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Trains and tests the recipe on each of LFW's ten folds. Goes on where it was interrupted; needs `prepare`."""
    from training.evaluation.plots import plot_det, plot_roc, plot_scores
    from training.evaluation.view2 import FOLDS, note_of, run_fold, summarise_folds
    from training.metrics.verification import listed_pairs

    chosen = parse_folds(folds)
    experiment = experiment_of(config, data, build)
    name = experiment.config.name
    notes, runs = results / name, build / "runs" / f"{name}-view2"
    done = []
    for fold in FOLDS:
        if fold in chosen or note_of(notes, fold).is_file():
            result = run_fold(
                experiment.config, experiment.faces, experiment.served, experiment.lists, notes, runs, fold
            )
            console.print(f"Fold {fold}: {result.accuracy:.4f} at {result.threshold:.4f}, {result.seconds:.0f} s")
            done.append(result)
    if len(done) < len(FOLDS):
        console.print(f"{len(FOLDS) - len(done)} folds are still to be trained.")
        return
    report = summarise_folds(done, f"python -m training view2 --config {inside(config)}")
    console.print_json(json.dumps(report))
    scores, same = (np.concatenate([getattr(each, part) for each in done]) for part in ("scores", "same"))
    pairs, title = listed_pairs(scores, same), f"{name}: LFW View 2, ten fold models"
    for plot in (plot_roc, plot_det):
        plot(pairs, title, PLOTS / f"{name}-view2-{plot.__name__.removeprefix('plot_')}.png")
    plot_scores(pairs, None, title, PLOTS / f"{name}-view2-scores.png")
    mean = report["accuracy"]
    _note(
        experiment.config,
        "LFW View 2, ten fold models, whole pipeline from the original photos",
        "accuracy",
        (mean["value"], mean["standard_error"]),
        f"{report['command']}",
        (done[-1].commit, report["machine"]),
    )
    if bundle:
        sealed = load_bundle(find_bundle(bundle))
        reseal(sealed, evaluation={**(sealed.metadata.evaluation or {}), "view2": report})


@app.command()
def omniglot(
    config: ConfigOption = CONFIGS / "omniglot.toml", data: DataOption = None, build: BuildOption = DEFAULT_BUILD
) -> None:
    """Trains on Omniglot's background set and answers Lake's 20 official one-shot runs. Goes on where interrupted."""
    from training.encoder.factory import best_encoder
    from training.encoder.loop import train
    from training.omniglot.task import averaging, background, one_shot_accuracy, one_shot_runs, validate_one_shot
    from training.optimization.distributed import pick_device

    experiment = experiment_of(config, data, build)
    folder, crops = experiment.data / "omniglot", experiment.config.crops
    runs = one_shot_runs(folder / "all_runs.zip", crops)
    faces, split = background(folder / "omniglot.npz", crops)
    train(experiment.config, faces, split, experiment.run, validate_one_shot)
    encoder, story = best_encoder(experiment.config, experiment.run)
    device = pick_device()
    encoder = encoder.to(device)
    # The paper's own head compares drawings as they are.
    embed = averaging(encoder, experiment.config.augmentation) if isinstance(encoder, SiameseEncoder) else None
    shares = one_shot_accuracy(encoder, runs, device, embed)
    error = float(shares.std(ddof=1) / len(runs) ** 0.5)
    console.print(
        f"{shares.mean():.2%} of {20 * len(runs)} answers right, standard error over the runs {error:.2%}; weights of "
        f"step {story['step']}, {story['seconds']:.0f} s, commit {story['commit'][:12]}."
    )
    _note(
        experiment.config,
        "Omniglot, Lake's 20 official runs of 20-way one-shot classification",
        "accuracy",
        (float(shares.mean()), error),
        f"python -m training omniglot --config {inside(config)}",
        (story["commit"], machine()),
    )


def _note(
    config: Config,
    protocol: str,
    figure: str,
    mean_and_error: tuple[float, float],
    command: str,
    commit_and_machine: tuple[str, str],
) -> None:
    from training.encoder.export import learned_from, started_from

    begun = started_from(config.network.start)
    row = Row(
        config.name,
        f"{learned_from(config)}; from {begun}",
        protocol,
        figure,
        *mean_and_error,
        command,
        *commit_and_machine,
    )
    console.print(f"Noted in {write_row(row)}.")


@app.command()
def worst(
    bundle: Annotated[str, typer.Argument(help="A name or a path.")],
    photos: Annotated[Path, typer.Option(help="A folder of NAME/photo.jpg.")],
    count: Annotated[int, typer.Option(help="Pairs of either kind.")] = 200,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """A page with the pictures of the pairs that a bundle gets most wrong: label errors show themselves there."""
    from training.data.crops import prepare_folder
    from training.evaluation.embeddings import embed
    from training.evaluation.hardest_pairs import worst_pairs, write_page

    sealed = load_bundle(find_bundle(bundle))
    faces = prepare_folder(photos, sealed.metadata.crop_size, build)
    rows = np.arange(len(faces.names))
    impostor, genuine = worst_pairs(embed(sealed, faces, rows), faces.people, count)
    target = build / "worst" / f"{sealed.metadata.name}-{photos.resolve().name}.html"
    title = f"{sealed.metadata.name} on {photos.resolve().name}"
    write_page(title, faces, rows, impostor, genuine, target)
    console.print(f"{target}: the {len(impostor)} most similar impostor and least similar genuine pairs.")


@app.command()
def card(target: Annotated[Path, typer.Argument(help="The card.")] = CARD) -> None:
    """Writes the figures of the shipped bundles and of the face detector into the model card."""
    from model.detector.bundle import load_locator
    from training.model_card.card import fill

    bundles = [load_bundle(path) for path in shipped_bundles().values()]
    target.write_text(fill(target.read_text(), bundles, load_locator().metadata))


def parse_folds(text: str) -> set[int]:
    """Raises DataError on anything but numbers 1 to 10 and ranges of them."""
    chosen: set[int] = set()
    for part in text.split(","):
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not ends:
            raise DataError(f"{text!r} names no folds; write such as 1-10 or 3,5.")
        chosen |= set(range(int(ends[1]), int(ends[2] or ends[1]) + 1))
    if not chosen <= set(range(1, 11)):
        raise DataError(f"{text!r}: View 2 has the folds 1 to 10.")
    return chosen
