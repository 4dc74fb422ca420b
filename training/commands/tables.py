"""What several commands print."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from training.commands.options import console

if TYPE_CHECKING:
    from model.calibration import Calibration
    from training.data.prepared_faces import PreparedFaces


def print_prepared(faces: "PreparedFaces", folder: Path) -> None:
    """How many faces were found, and each photo without one with the reason."""
    console.print(f"{len(faces.names):,} faces in {folder}; {len(faces.missing)} photos without one.", soft_wrap=True)
    for name, reason in faces.missing.items():
        console.print(f"  {name}: {reason}", soft_wrap=True)


def print_calibration(calibration: "Calibration", equal_error_rate: float) -> None:
    """The operating points and, if label errors are known, their rates without these."""
    console.print(f"Equal error rate {equal_error_rate:.2%}.")
    errors = calibration.label_errors
    columns = ["FMR", "95 % limits", "threshold", "FNMR", "95 % limits", "false matches"]
    table = Table(*columns, *(["FMR without label errors", "FNMR without"] if errors else []))
    for number, point in enumerate(calibration.points):
        fnmr_limits = f"{point.fnmr_interval[0]:.3f}..{point.fnmr_interval[1]:.3f}" if point.fnmr_interval else ""
        table.add_row(
            f"{point.fmr:.2e}",
            f"{point.interval[0]:.1e}..{point.interval[1]:.1e}",
            f"{point.threshold:.4f}",
            f"{point.fnmr:.3f}",
            fnmr_limits,
            str(point.false_matches),
            *((f"{errors.fmr[number]:.2e}", f"{errors.fnmr[number]:.3f}") if errors else ()),
        )
    console.print(table)
