"""The rows of figures that the project reports beside those of its bundles: a recipe, its protocol, mean and error."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROWS: Final = Path("docs/reports/rows")


@dataclass(frozen=True)
class Row:
    """One figure of a recipe; `value` and `standard_error` are shares of 1."""

    recipe: str  # the config's name
    learned_from: str
    protocol: str
    figure: str  # what the value is
    value: float
    standard_error: float
    command: str
    commit: str
    machine: str


def write_row(row: Row, folder: Path = ROWS) -> Path:
    """Writes RECIPE.json, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{row.recipe}.json"
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(row), indent=1) + "\n")
    partial.replace(target)
    return target


def read_rows(folder: Path = ROWS) -> list[Row]:
    """Every row that was written, by the recipe's name."""
    return [Row(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
