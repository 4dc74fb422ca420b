"""What the commands show: tables at the terminal, plots and pages beside them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from model.calibration import Calibration
from model.encoder.bundle import Bundle, BundleMetadata
from training.commands.options import console
from training.data.crops import PreparedFaces, prepare_folder
from training.data.photos import DataError, find_photos, lfw_photos, read_pair_list, read_pairs
from training.evaluation.embeddings import Scored, score
from training.evaluation.folder import assess
from training.evaluation.hardest_pairs import worst_pairs, write_page
from training.evaluation.plots import plot_det, plot_roc, plot_scores
from training.experiment import Experiment

WORST = 100  # pairs of either kind on the page


def tell_prepared(faces: PreparedFaces, folder: Path) -> None:
    console.print(f"{len(faces.names):,} faces in {folder}; {len(faces.missing)} photos without one.")
    for name, reason in faces.missing.items():
        console.print(f"  {name}: {reason}")


def tell_calibration(found: Calibration, equal_error_rate: float) -> None:
    """The operating points; beside them, if there are any, what they would be without the label errors."""
    console.print(f"Equal error rate {equal_error_rate:.2%}.")
    columns = ["FMR", "95 % limits", "threshold", "FNMR", "false matches"]
    errors = found.label_errors
    table = Table(*columns, *(["FMR without label errors", "FNMR without"] if errors else []))
    for number, point in enumerate(found.points):
        low, high = point.interval
        table.add_row(
            f"{point.fmr:.2e}",
            f"{low:.1e}..{high:.1e}",
            f"{point.threshold:.4f}",
            f"{point.fnmr:.3f}",
            str(point.false_matches),
            *((f"{errors.fmr[number]:.2e}", f"{errors.fnmr[number]:.3f}") if errors else ()),
        )
    console.print(table)


def report_parity(experiment: Experiment, metadata: BundleMetadata, scored: Scored, url: str) -> None:
    """View 1's listed pairs through a running service. Raises DataError where it does not answer as offline."""
    from training.evaluation.service_parity import Service, parity

    service = Service(url, find_photos(lfw_photos(experiment.data)))
    listed = read_pairs(experiment.lists / "pairsDevTest.txt")
    assert metadata.calibration is not None
    result = parity(service, scored, listed, metadata.calibration.at_fmr().threshold, metadata.encoder_id)
    table = Table("pairs", "largest difference", "other verdicts", "photos without a face")
    table.add_row(
        str(result.pairs),
        f"{result.largest_difference:.2g}",
        str(result.different_verdicts),
        ", ".join(result.without_face) or "none",
    )
    console.print(table)
    if result.largest_difference > 1e-4 or result.different_verdicts:
        raise DataError("The service does not answer as the bundle does offline.")


def report_folder(bundle: Bundle, photos: Path, pairs: Path | None, build: Path, command: str) -> dict[str, Any]:
    """Anybody's folder of photos: report.json, plots and a page of the worst pairs, below `build`. Raises DataError."""
    folds = read_pair_list(pairs) if pairs else []
    faces = prepare_folder(photos, bundle.metadata.crop_size, build)
    tell_prepared(faces, photos)
    everybody = frozenset([*faces.people, *(name.split("/")[0] for name in faces.missing)])
    scored = score(bundle, faces, everybody)
    name = photos.resolve().name
    report = assess(bundle, scored, folds, f"{name}: {len(everybody)} people", command)
    target = build / "evaluations" / f"{bundle.metadata.name}-{name}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "report.json").write_text(json.dumps(report, indent=1))
    if "eer" in report["all_pairs"]:
        found = scored.all_pairs()
        title = f"{bundle.metadata.name}: every pair of {name}"
        assert bundle.metadata.calibration is not None
        plot_roc(found, title, target / "roc.png")
        plot_det(found, title, target / "det.png")
        plot_scores(found, bundle.metadata.calibration.at_fmr(), title, target / "scores.png")
    impostor, genuine = worst_pairs(scored.vectors, faces.people, WORST)
    rows = np.arange(len(faces.names))
    write_page(f"{bundle.metadata.name} on {name}", faces, rows, impostor, genuine, target / "worst.html")
    console.print_json(json.dumps(report))
    console.print(f"The report, plots and the worst pairs with their pictures are in {target}.")
    return report
