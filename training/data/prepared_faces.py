"""Aligned crops as files: crops.npy, and index.json with everything else about them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError

INDEX: Final = "index.json"
CROPS: Final = "crops.npy"


@dataclass(frozen=True)
class PreparedFaces:
    """The central face of each photo, aligned. Row i of each array belongs to names[i]."""

    names: tuple[str, ...]  # PERSON/photo.jpg
    crops: NDArray[np.uint8]  # (N, T, T, 3) RGB, T = S + 2 * margin: the crop that an encoder gets, with surroundings
    landmarks: NDArray[np.float32]  # (N, 5, 2) pixels in the photo
    missing: dict[str, str]  # photo -> why it has no crop
    detector: str  # full name, such as mtcnn-facenet-2.5.3
    margin: int  # pixels
    recipe: Mapping[str, Any] = field(default_factory=dict)  # photos and settings that the crops were made from
    folder: Path | None = None  # where the files are; None for crops that are only in memory

    @cached_property  # read row by row, for up to 100,000 rows
    def people(self) -> list[str]:
        """The person of each row."""
        return [name.split("/")[0] for name in self.names]

    def without_margin(self, rows: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """The crops (n, S, S, 3) of these rows exactly as the service would encode them."""
        inner = slice(self.margin, self.crops.shape[1] - self.margin)
        return np.ascontiguousarray(self.crops[rows, inner, inner])


def load_prepared(folder: Path) -> PreparedFaces:
    """Loads prepared faces. The crops stay on disk until they are used.

    Raises DataError if there are none, or if a file is missing or damaged.
    """
    index = folder / INDEX
    if not index.is_file():
        raise DataError(f"{folder} holds no prepared faces. Run `python -m training prepare` first.")
    try:
        content = json.loads(index.read_text())
        crops = np.load(folder / CROPS, mmap_mode="r")
        recipe = content["recipe"]
        faces = PreparedFaces(
            tuple(content["names"]),
            crops,
            np.array(content["landmarks"], np.float32).reshape(-1, 5, 2),
            content["missing"],
            recipe["detector"],
            recipe["margin"],
            recipe,
            folder,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(f"The crops in {folder} are damaged. Delete the folder and prepare them again.") from error
    if not len(faces.names) == len(faces.crops) == len(faces.landmarks):
        raise DataError(f"The files in {folder} do not belong together. Delete the folder and prepare the crops again.")
    return faces


def write_index(
    folder: Path,
    recipe: Mapping[str, object],
    names: Sequence[str],
    missing: Mapping[str, str],
    landmarks: Sequence[object],
) -> None:
    """Writes index.json atomically. Call it last: a folder with an index counts as complete."""
    index = {"recipe": recipe, "names": names, "missing": missing, "landmarks": landmarks}
    partial = folder / f"{INDEX}.partial"
    partial.write_text(json.dumps(index))
    partial.replace(folder / INDEX)
