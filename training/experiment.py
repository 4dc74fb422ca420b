"""One experiment: its config, its photos, and the folders where each step reads and writes."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from model.encoder.bundle import find_bundle
from model.runtime.torchscript import ARTIFACTS
from training.config import Config
from training.data.crops import check_recipe, crops_folder, prepare_crops, prepare_folder
from training.data.errors import DataError
from training.data.photos import Photo, find_photos, find_prefixed_photos, hash_photos
from training.data.prepared_faces import PreparedFaces, load_prepared
from training.data.sets.lfw import lfw_photo_source
from training.data.shards import hash_shards
from training.data.splits import Split, split_people


@dataclass(frozen=True)
class Experiment:
    """A config with the data folder, which holds lfw/ or shards, and the folder for everything that is made."""

    config: Config
    data: Path
    build: Path

    @property
    def lists(self) -> Path:
        """The folder with LFW's protocol files."""
        return self.data / "lfw"

    @cached_property
    def photos(self) -> list[Photo]:
        """LFW's photos, then those of the other folders that the config trains on. Raises DataError."""
        photos = find_photos(lfw_photo_source(self.data))
        for name in self.config.data.more:
            photos += find_prefixed_photos(self.find_folder(name))
        return photos

    def find_folder(self, name: str) -> Path:
        """A folder of photos, in the data folder or in data/. Raises DataError if it is in neither."""
        # FACETWIN_DATA may be a shared folder that cannot be written to.
        for place in (self.data / name, Path("data") / name):
            if place.is_dir():
                return place
        raise DataError(
            f"{self.config.name} needs {Path('data') / name}, which does not exist. Make it (for CelebA: `python -m "
            "training celeba`). To calibrate, you can also name your own folder of NAME/photo.jpg with --photos."
        )

    @property
    def calibration_photos(self) -> Path | None:
        """The folder that the config calibrates on; None if that is the split's calibration people.

        Raises DataError if the folder does not exist.
        """
        named = self.config.calibration.photos
        return self.find_folder(named) if named else None

    @cached_property
    def crops_folder(self) -> Path:
        """The folder with the crops that train. It depends on the content of the photos, or of the shards where the
        data folder holds those instead. Raises DataError if it holds neither."""
        has_photos = lfw_photo_source(self.data).exists()
        content = hash_photos(self.photos) if has_photos else hash_shards(self.data)
        return crops_folder(self.build, self._label, self.config.crops, content)

    @property
    def run_folder(self) -> Path:
        """The folder with the checkpoints."""
        return self.build / "runs" / self.config.name

    @property
    def shipped_bundle(self) -> Path:
        """The file of the config's own bundle."""
        return ARTIFACTS / f"{self.config.name}.pt"

    def prepare(self, workers: int | None = None) -> PreparedFaces:
        """Makes the crops that train, or loads those of the same photos. Raises DataError and BundleError."""
        return prepare_crops(self.photos, self.config.crops, self.build, self._label, workers)

    @cached_property
    def faces(self) -> PreparedFaces:
        """The crops that train. Raises DataError if `prepare` has not run on these photos with today's detector."""
        faces = load_prepared(self.crops_folder)
        if lfw_photo_source(self.data).exists():  # shards are used as they are
            check_recipe(faces, self.config.crops)
        return faces

    @cached_property
    def impostors(self) -> PreparedFaces:
        """All-Age-Faces, as the service finds its faces, for a config with a [head]. Made if they do not exist yet.

        Raises DataError if the folder does not exist.
        """
        head, crops = self.config.head, self.config.crops
        if head is None:
            raise DataError(f"{self.config.name} has no [head], so it needs no impostors.")
        return prepare_folder(self.find_folder(head.impostors), crops, self.build)

    @cached_property
    def served_faces(self) -> PreparedFaces:
        """LFW's faces as the service finds them, for calibration and reports. Made if they do not exist yet."""
        return prepare_folder(lfw_photo_source(self.data), self.config.crops, self.build)

    @cached_property
    def split(self) -> Split:
        """Who trains, validates, calibrates and tests. Raises DataError on missing or malformed lists."""
        return split_people(self.config.data, self.lists, Counter(self._person_of_each_photo()))

    def bundle_path(self, chosen: str | None) -> Path:
        """The path of the chosen bundle (a name or a path), by default the config's own. Raises BundleError."""
        return find_bundle(chosen) if chosen else self.shipped_bundle

    @property
    def _label(self) -> str:
        return "+".join(["lfw", *self.config.data.more])

    def _person_of_each_photo(self) -> list[str]:
        if not lfw_photo_source(self.data).exists():  # shards
            return [*self.faces.people, *(name.split("/")[0] for name in self.faces.missing)]
        people = [photo.person for photo in find_photos(lfw_photo_source(self.data))]
        for name in self.config.data.more:
            try:
                folder = self.find_folder(name)
            except DataError:
                continue  # reports on LFW do not need the other folders
            people += [photo.person for photo in find_prefixed_photos(folder)]
        return people
