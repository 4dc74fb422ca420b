"""A config with its data and its places: where each step reads and writes."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Final

from model.encoder.bundle import find_bundle
from model.runtime.torchscript import ARTIFACTS
from training.config import Config
from training.data.crops import PreparedFaces, crops_folder, load_prepared, prepare_folder
from training.data.photos import DataError, Photo, find_photos, lfw_photos, people_of_folder
from training.data.splits import Split, split_people

CONFIGS: Final = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Experiment:
    """A config with its data and its places."""

    config: Config
    data: Path
    build: Path

    @property
    def lists(self) -> Path:
        return self.data / "lfw"

    @property
    def prepared(self) -> Path:
        return crops_folder(self.build, ["lfw", *self.config.data.more], self.config.crops)

    @property
    def photos(self) -> list[Photo]:
        """LFW's, then those of the other folders that the config trains on. Raises DataError."""
        more = (people_of_folder(self.folder(name)) for name in self.config.data.more)
        return [*find_photos(lfw_photos(self.data)), *chain.from_iterable(more)]

    def folder(self, name: str) -> Path:
        """A folder of photos in the data folder. Raises DataError where it is not there."""
        # FACETWIN_DATA may be a shared folder that nobody can add to.
        for place in (self.data / name, Path("data") / name):
            if place.is_dir():
                return place
        raise DataError(
            f"{self.config.name} needs {Path('data') / name}, which is not there. Arrange it (for CelebA: `python -m "
            "training celeba`); to calibrate, you may name your own folder of NAME/photo.jpg with --photos instead."
        )

    @property
    def calibration_photos(self) -> Path | None:
        """The folder that the config calibrates on, where that is not the split's calibration people. Raises
        DataError where it is not there."""
        named = self.config.calibration.photos
        return self.folder(named) if named else None

    @property
    def run(self) -> Path:
        return self.build / "runs" / self.config.name

    @property
    def shipped(self) -> Path:
        return ARTIFACTS / f"{self.config.name}.pt"

    @cached_property
    def faces(self) -> PreparedFaces:
        """What trains, made by `prepare`. Raises DataError where that has not run."""
        return load_prepared(self.prepared)

    @cached_property
    def served(self) -> PreparedFaces:
        """LFW's faces as the service finds them, which calibrate and report; made where they are not there yet."""
        return prepare_folder(lfw_photos(self.data), self.config.crops.size, self.build)

    @cached_property
    def split(self) -> Split:
        faces = self.faces if (self.prepared / "index.json").is_file() else self.served
        everyone = [*faces.people, *(name.split("/")[0] for name in faces.missing)]
        return split_people(self.config.data, self.lists, Counter(everyone))

    def bundle_path(self, chosen: str | None) -> Path:
        """The bundle that was named, or the config's own. Raises BundleError."""
        return find_bundle(chosen) if chosen else self.shipped


def inside(config: Path) -> str:
    """The config's path as somebody in the project's folder would write it."""
    root = CONFIGS.parent.parent
    return str(config.resolve().relative_to(root)) if config.resolve().is_relative_to(root) else config.name
