"""LFW's View 2: ten trainings, each tested on the 600 pairs of a tenth of the people whom it never saw.

'Unrestricted, labelled outside data' where the config starts from weights that saw others, 'unrestricted, no outside
data' where it starts from random ones (Huang, Learned-Miller 2014, 'Labeled Faces in the Wild: updates and new
reporting procedures'). The result belongs to the recipe, ten fold models, and to no single file of weights.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.config import Config, ConfigError, is_of
from training.data.crops import PreparedFaces
from training.data.photos import Pair, read_pair_folds
from training.data.splits import others, person_numbers, rows_of, split_fold
from training.encoder.factory import best_encoder
from training.encoder.loop import embed_rows, train
from training.evaluation.calibration import platt
from training.evaluation.embeddings import Scored
from training.metrics.verification import accuracy, all_pairs, best_threshold
from training.optimization.distributed import pick_device
from training.provenance import machine

FOLDS: Final = tuple(range(1, 11))
FMRS: Final = (1e-2, 1e-3)


@dataclass(frozen=True)
class FoldResult:
    """`threshold` was set on validation people; `scores` (600,) are those of the fold's pairs."""

    fold: int  # 1 to 10
    accuracy: float
    threshold: float
    scores: tuple[float, ...]
    same: tuple[bool, ...]
    detector: str
    best_step: int
    seconds: float
    commit: str
    machine: str


def run_fold(
    config: Config, faces: PreparedFaces, served: PreparedFaces, lists: Path, results: Path, runs: Path, fold: int
) -> FoldResult:
    """Trains fold `fold` (1 to 10) on `faces` in a folder below `runs`, tests it on `served` and notes the result below
    `results`; or reads what an earlier run noted. Raises ConfigError where that was of another config or detector."""
    note = note_of(results, fold)
    if note.is_file():
        saved = json.loads(note.read_text())
        if not is_of(saved.pop("config"), config):
            raise ConfigError(f"{note} was made with another config. Choose another --results folder or delete it.")
        if saved["detector"] != served.detector:
            raise ConfigError(
                f"{note} tells of photos read by {saved['detector']}. Delete it to test {served.detector}."
            )
        return FoldResult(**{**saved, "scores": tuple(saved["scores"]), "same": tuple(saved["same"])})
    split = split_fold(config.data, lists, fold - 1, others(faces.people))
    run = runs / f"fold-{fold}"
    train(config, faces, split, run)
    encoder, story = best_encoder(config, run)
    device = pick_device()
    chosen = rows_of(served.people, split.validation)
    numbers = person_numbers([served.people[row] for row in chosen])
    held_out = all_pairs(embed_rows(encoder.to(device), served, chosen, device), numbers)
    slope, intercept = platt(held_out.genuine_histogram, held_out.impostor_histogram)
    rows = rows_of(served.people, split.test)
    missing = tuple(sorted(name for name in served.missing if name.split("/")[0] in split.test))
    names = tuple(served.names[row] for row in rows)
    scored = Scored(embed_rows(encoder, served, rows, device), names, missing)
    pairs = read_pair_folds(lists / "pairs.txt")[fold - 1]
    result = _result(fold, pairs, scored.similarities(pairs), -intercept / slope, served.detector, story)
    results.mkdir(parents=True, exist_ok=True)
    partial = note.with_suffix(".partial")
    partial.write_text(json.dumps({**asdict(result), "config": asdict(config)}))
    partial.replace(note)
    return result


def note_of(results: Path, fold: int) -> Path:
    return results / f"fold-{fold}.json"


def _result(
    fold: int,
    pairs: Sequence[Pair],
    scores: NDArray[np.float64],
    threshold: float,
    detector: str,
    story: dict[str, Any],
) -> FoldResult:
    same = np.array([pair.same for pair in pairs])
    return FoldResult(
        fold,
        accuracy(scores, same, threshold),
        threshold,
        tuple(scores.round(6).tolist()),
        tuple(same.tolist()),
        detector,
        story["step"],
        story["seconds"],
        story["commit"],
        machine(),
    )


def summarise_folds(results: Sequence[FoldResult], command: str) -> dict[str, Any]:
    """Mean and standard error over the folds, and TAR at FMR over the pairs of all of them together. Raises ValueError
    with fewer than ten folds: fewer are no View 2."""
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
