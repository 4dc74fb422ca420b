"""LFW's View 2: ten trainings, each tested on the 600 pairs of the fold whose people it has not seen.

The protocol is 'unrestricted, labelled outside data' if the config starts from weights that saw other people, and
'unrestricted, no outside data' if it starts from random weights (Huang, Learned-Miller 2014, 'Labeled Faces in the
Wild: updates and new reporting procedures'). The result describes the recipe, not a single file of weights.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.config import Config, ConfigError, matches_config
from training.data.pairs import Pair, read_pair_folds
from training.data.prepared_faces import PreparedFaces
from training.data.splits import Split, extra_people, label_people, select_rows, split_fold
from training.encoder.factory import Encoder, load_best_encoder
from training.encoder.loop import embed_rows
from training.evaluation.calibration.points import fit_platt
from training.evaluation.embeddings import Embeddings
from training.metrics.verification import accuracy, best_threshold, compare_all_pairs
from training.optimization.distributed import pick_device
from training.provenance import describe_machine

FOLDS: Final = tuple(range(1, 11))
FMRS: Final = (1e-2, 1e-3)
Embed = Callable[[Encoder, PreparedFaces, NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True)
class FoldResult:
    """The test of one fold. `threshold` was set on the validation people."""

    fold: int  # 1 to 10
    accuracy: float
    threshold: float
    scores: tuple[float, ...]  # (600,) of the fold's pairs
    same: tuple[bool, ...]  # (600,)
    detector: str
    best_step: int
    seconds: float  # of training
    commit: str
    machine: str


def run_fold(
    config: Config,
    train: Callable[[Split, Path], object],
    faces: PreparedFaces,
    served: PreparedFaces,
    lists: Path,
    results: Path,
    runs: Path,
    fold: int,
    embed: Embed | None = None,
) -> FoldResult:
    """Trains fold `fold` (1 to 10) with `train`, tests it on `served` and saves the result; or reads the saved result.

    `train` trains on the people of a split and keeps its checkpoints in a folder. `faces` are the crops that train.
    `embed` gives the unit vectors of rows, by default by running the whole encoder. Checkpoints go below `runs`, the
    result below `results`. Raises ConfigError if the saved result is damaged or was made with another config or
    detector.
    """
    file = result_file(results, fold)
    if file.is_file():
        return _read_result(file, config, served.detector)
    split = split_fold(config.data, lists, fold - 1, extra_people(faces.people))
    run = runs / f"fold-{fold}"
    train(split, run)
    encoder, checkpoint = load_best_encoder(config, run)
    embed = embed or _embed_all
    validation_rows = select_rows(served.people, split.validation)
    labels = label_people([served.people[row] for row in validation_rows])
    validation = compare_all_pairs(embed(encoder, served, validation_rows), labels)
    slope, intercept = fit_platt(validation.genuine_histogram, validation.impostor_histogram)
    rows = select_rows(served.people, split.test)
    missing = tuple(sorted(name for name in served.missing if name.split("/")[0] in split.test))
    names = tuple(served.names[row] for row in rows)
    embeddings = Embeddings(embed(encoder, served, rows), names, missing)
    pairs = read_pair_folds(lists / "pairs.txt")[fold - 1]
    result = _score_fold(fold, pairs, embeddings.similarities(pairs), -intercept / slope, served.detector, checkpoint)
    results.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps({**asdict(result), "config": asdict(config)}))
    partial.replace(file)
    return result


def _embed_all(encoder: Encoder, faces: PreparedFaces, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    device = pick_device()
    return embed_rows(encoder.to(device), faces, rows, device)


def result_file(results: Path, fold: int) -> Path:
    """Where the result of a fold is saved."""
    return results / f"fold-{fold}.json"


def _read_result(file: Path, config: Config, detector: str) -> FoldResult:
    try:
        saved = json.loads(file.read_text())
        saved_config = saved.pop("config")
        result = FoldResult(**{**saved, "scores": tuple(saved["scores"]), "same": tuple(saved["same"])})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{file} is not the result of a fold. Delete it to test the fold again.") from error
    if not matches_config(saved_config, config):
        raise ConfigError(f"{file} was made with another config. Choose another --results folder or delete it.")
    if result.detector != detector:
        raise ConfigError(f"{file} was made with the detector {result.detector}. Delete it to test {detector}.")
    return result


def _score_fold(
    fold: int,
    pairs: Sequence[Pair],
    scores: NDArray[np.float64],
    threshold: float,
    detector: str,
    checkpoint: dict[str, Any],
) -> FoldResult:
    same = np.array([pair.same for pair in pairs])
    return FoldResult(
        fold,
        accuracy(scores, same, threshold),
        threshold,
        tuple(scores.round(6).tolist()),
        tuple(same.tolist()),
        detector,
        checkpoint["step"],
        checkpoint["seconds"],
        checkpoint["commit"],
        describe_machine(),
    )


def summarise_folds(results: Sequence[FoldResult], command: str) -> dict[str, Any]:
    """Mean accuracy and its standard error over the folds, and TAR at FMR over the pairs of all folds together.

    Raises ValueError unless there are all ten folds.
    """
    if sorted(result.fold for result in results) != list(FOLDS):
        raise ValueError("View 2 is the mean of all ten folds")
    accuracies = np.array([result.accuracy for result in results])
    best = [
        accuracy(scores, same, best_threshold(scores, same))
        for scores, same in ((np.array(result.scores), np.array(result.same)) for result in results)
    ]
    scores = np.concatenate([result.scores for result in results])
    same = np.concatenate([result.same for result in results])
    impostor = np.sort(scores[~same])[::-1]
    return {
        "protocol": "LFW View 2, pairs.txt; ten fold models",
        "command": command,
        "detector": " and ".join(sorted({result.detector for result in results})),
        "machine": " and ".join(sorted({result.machine for result in results})),
        "commits": sorted({result.commit for result in results}),
        "accuracy": {
            "value": float(accuracies.mean()),
            "standard_error": float(accuracies.std(ddof=1) / np.sqrt(len(accuracies))),
        },
        "folds": accuracies.tolist(),
        "accuracy_at_best_threshold_of_each_fold": float(np.mean(best)),
        "tar_at_fmr": {f"{fmr:g}": float((scores[same] > impostor[int(fmr * len(impostor))]).mean()) for fmr in FMRS},
    }
