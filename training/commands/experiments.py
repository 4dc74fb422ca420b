"""The commands that train and test a recipe by a published protocol: LFW's View 2 and Omniglot's one-shot runs."""

import json
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from training.commands.options import (
    DEFAULT_BUILD,
    DEFAULT_CONFIG,
    BuildOption,
    ConfigOption,
    DataOption,
    console,
    open_experiment,
)
from training.config import CONFIGS, Config, display_path
from training.data.errors import DataError

REPORTS: Final = Path("docs/reports/view2")
PLOTS: Final = Path("docs/plots")

app = typer.Typer()


@app.command()
def view2(
    config: ConfigOption = DEFAULT_CONFIG,
    folds: Annotated[str, typer.Option(help="The folds to train now, such as 1-10 or 3,5.")] = "1-10",
    bundle: Annotated[
        str | None, typer.Option(help="Write the figures into this bundle, which the same recipe made.")
    ] = None,
    results: Annotated[Path, typer.Option(help="The folder for the result of each fold.")] = REPORTS,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Trains and tests the recipe on each of LFW's ten folds. Resumes where it was interrupted; needs `prepare`."""
    import numpy as np

    from model.encoder.bundle import find_bundle, load_bundle, update_metadata
    from training.commands.encoder_training import embed_with_features, train_experiment
    from training.evaluation.plots import plot_det, plot_roc, plot_scores
    from training.evaluation.view2 import FOLDS, result_file, run_fold, summarise_folds
    from training.metrics.verification import collect_scores

    chosen = parse_folds(folds)
    target = load_bundle(find_bundle(bundle)) if bundle else None
    experiment = open_experiment(config, data, build)
    name = experiment.config.name
    folder, runs = results / name, build / "runs" / f"{name}-view2"
    done = []
    for fold in FOLDS:
        if fold in chosen or result_file(folder, fold).is_file():
            result = run_fold(
                experiment.config,
                lambda split, run: train_experiment(experiment, split, run),
                experiment.faces,
                experiment.served_faces,
                experiment.lists,
                folder,
                runs,
                fold,
                lambda encoder, faces, rows: embed_with_features(experiment, encoder, faces, rows),
            )
            console.print(f"Fold {fold}: {result.accuracy:.4f} at {result.threshold:.4f}, {result.seconds:.0f} s")
            done.append(result)
    if len(done) < len(FOLDS):
        console.print(f"{len(FOLDS) - len(done)} folds are still to be trained.")
        return
    report = summarise_folds(done, f"python -m training view2 --config {display_path(config)}")
    console.print_json(json.dumps(report))
    scores = np.concatenate([each.scores for each in done])
    same = np.concatenate([each.same for each in done])
    pairs, title = collect_scores(scores, same), f"{name}: LFW View 2, ten fold models"
    plot_roc(pairs, title, PLOTS / f"{name}-view2-roc.png")
    plot_det(pairs, title, PLOTS / f"{name}-view2-det.png")
    plot_scores(pairs, None, title, PLOTS / f"{name}-view2-scores.png")
    mean = report["accuracy"]
    _write_result(
        experiment.config,
        "LFW View 2, ten fold models, whole pipeline from the original photos",
        (mean["value"], mean["standard_error"]),
        f"{report['command']}",
        (done[-1].commit, report["machine"]),
    )
    if target:
        update_metadata(target, evaluation={**(target.metadata.evaluation or {}), "view2": report})


@app.command()
def omniglot(
    config: ConfigOption = CONFIGS / "omniglot.toml", data: DataOption = None, build: BuildOption = DEFAULT_BUILD
) -> None:
    """Trains on Omniglot's background set and tests on Lake's 20 official one-shot runs. Resumes where it was
    interrupted."""
    from model.encoder.network import SiameseEncoder
    from training.encoder.factory import load_best_encoder
    from training.encoder.loop import train
    from training.omniglot.task import (
        average_views,
        load_background,
        load_one_shot_runs,
        one_shot_accuracy,
        validate_one_shot,
    )
    from training.optimization.distributed import pick_device
    from training.provenance import describe_machine

    experiment = open_experiment(config, data, build)
    folder, crops = experiment.data / "omniglot", experiment.config.crops
    runs = load_one_shot_runs(folder / "all_runs.zip", crops)
    faces, split = load_background(folder / "omniglot.npz", crops)
    train(experiment.config, faces, split, experiment.run_folder, validate_one_shot)
    encoder, checkpoint = load_best_encoder(experiment.config, experiment.run_folder)
    device = pick_device()
    encoder = encoder.to(device)
    # The paper's own head compares drawings as they are.
    augmentation = experiment.config.augmentation
    embed = average_views(encoder, augmentation) if isinstance(encoder, SiameseEncoder) and augmentation else None
    accuracies = one_shot_accuracy(encoder, runs, device, embed)
    error = float(accuracies.std(ddof=1) / len(runs) ** 0.5)
    console.print(
        f"{accuracies.mean():.2%} of {20 * len(runs)} answers are right, standard error over the runs {error:.2%}; "
        f"weights of step {checkpoint['step']}, {checkpoint['seconds']:.0f} s, commit {checkpoint['commit'][:12]}."
    )
    _write_result(
        experiment.config,
        "Omniglot, Lake's 20 official runs of 20-way one-shot classification",
        (float(accuracies.mean()), error),
        f"python -m training omniglot --config {display_path(config)}",
        (checkpoint["commit"], describe_machine()),
    )


def _write_result(
    config: Config,
    protocol: str,
    mean_and_error: tuple[float, float],
    command: str,
    commit_and_machine: tuple[str, str],
) -> None:
    """Writes the accuracy to docs/reports, from where `evaluate` and `card` take it to the model card."""
    from training.encoder.export import describe_data_sources, describe_initial_weights
    from training.model_card.results import Result, write_result

    start = describe_initial_weights(config.network.start)
    result = Result(
        config.name,
        f"{describe_data_sources(config)}; from {start}",
        protocol,
        "accuracy",
        *mean_and_error,
        command,
        *commit_and_machine,
    )
    console.print(f"The result is in {write_result(result)}.", soft_wrap=True)


def parse_folds(text: str) -> set[int]:
    """Fold numbers from text such as 1-10 or 3,5. Raises DataError on anything but numbers 1 to 10 and ranges."""
    chosen: set[int] = set()
    for part in text.split(","):
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not ends:
            raise DataError(f"{text!r} names no folds; write for example 1-10 or 3,5.")
        chosen |= set(range(int(ends[1]), int(ends[2] or ends[1]) + 1))
    if not chosen <= set(range(1, 11)):
        raise DataError(f"{text!r}: View 2 has the folds 1 to 10.")
    return chosen
