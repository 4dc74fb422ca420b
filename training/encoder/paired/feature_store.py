"""Rows of numbers by key, kept in a folder, so that a crop that is in several sets is computed once."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError


class FeatureStore:
    """A folder of parts, each with some keys and their rows. A part is written once and never changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[str, NDArray[np.float32]] = {}
        self._read: set[Path] = set()

    def load(self) -> Mapping[str, NDArray[np.float32]]:
        """Every row that is kept, by key. Raises DataError if a part is damaged."""
        for part in sorted(set(self._folder.glob("*.npz")) - self._read):
            try:
                with np.load(part, allow_pickle=False) as saved:
                    self._rows.update(zip(saved["keys"].tolist(), saved["rows"], strict=True))
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                raise DataError(f"{part} is damaged. Delete it to compute its features again.") from error
            self._read.add(part)
        return self._rows

    def add(self, keys: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Keeps rows (N, D) under N keys, atomically."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # Named by the first key, which no other part has: a second run beside this one writes parts of its own.
        part = self._folder / f"{keys[0]}.npz"
        partial = part.with_suffix(".partial")
        with partial.open("wb") as stream:
            np.savez(stream, keys=np.array(keys, np.str_), rows=rows)
        partial.replace(part)
