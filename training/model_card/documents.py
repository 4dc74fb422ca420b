"""The documents that show figures, and which figures each of them shows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from model.calibration import Calibration
from model.detector.bundle import DetectorMetadata
from model.encoder.bundle import Bundle
from model.liveness.bundle import LivenessMetadata
from training.data.errors import DataError
from training.model_card.card import fill_card
from training.model_card.places import fill_places
from training.model_card.threshold_tables import describe_readme_sizes, describe_sizes, describe_uses

CARD: Final = Path("model/MODEL_CARD.md")
DEFAULT_BUNDLE: Final = "deploy"
TABLES: Final[Mapping[Path, Mapping[str, Callable[[Calibration], str]]]] = {
    Path("README.md"): {"sizes": describe_readme_sizes},
    Path("docs/galleries.md"): {"sizes": describe_sizes},
    Path("docs/thresholds.md"): {"uses": describe_uses},
}


def fill_documents(
    root: Path, bundles: list[Bundle], detector: DetectorMetadata, liveness: LivenessMetadata
) -> dict[Path, str]:
    """The new text of every document below `root` that shows figures, by its path.

    Raises DataError if a document is not UTF-8 text or lacks a place, or if figures are missing.
    """
    calibration = next(bundle for bundle in bundles if bundle.metadata.name == DEFAULT_BUNDLE).metadata.calibration
    if calibration is None:
        raise DataError(f"The bundle {DEFAULT_BUNDLE} is not calibrated. Run `python -m training calibrate` first.")
    filled = {CARD: fill_card(_read(root / CARD), bundles, detector, liveness)}
    for path, tables in TABLES.items():
        texts = {name: describe(calibration) for name, describe in tables.items()}
        filled[path] = fill_places(_read(root / path), texts)
    return filled


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
