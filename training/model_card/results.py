"""Results of recipes that the model card shows beside those of the bundles: one JSON file each."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from training.data.errors import DataError

RESULTS: Final = Path("docs/reports/results")


@dataclass(frozen=True)
class Result:
    """One measured figure of a recipe."""

    recipe: str  # the config's name
    learned_from: str
    protocol: str
    figure: str  # what `value` measures
    value: float  # 0..1
    standard_error: float  # 0..1
    command: str
    commit: str
    machine: str


def write_result(result: Result, folder: Path = RESULTS) -> Path:
    """Writes RECIPE.json atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{result.recipe}.json"
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(result), indent=1) + "\n")
    partial.replace(target)
    return target


def read_results(folder: Path = RESULTS) -> list[Result]:
    """Every result in the folder, ordered by recipe. Raises DataError if a file is damaged."""
    return [_read_result(path) for path in sorted(folder.glob("*.json"))]


def _read_result(path: Path) -> Result:
    try:
        return Result(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is not the result of a recipe. Delete it or measure the recipe again.") from error
