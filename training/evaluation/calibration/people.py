"""The people on whom a bundle is calibrated. None of them set its weights."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from model.calibration import Calibration, Recognizability
from model.encoder.bundle import Bundle
from training.data.crops import prepare_folder_for
from training.data.prepared_faces import PreparedFaces
from training.data.sets.lfw import lfw_photo_source
from training.data.sets.vggface2 import without_known_names
from training.data.splits import hash_fraction
from training.evaluation.calibration.recognizability import choose_floors
from training.evaluation.embeddings import Embeddings, embed_people
from training.evaluation.trust.degraded import degrade_all
from training.evaluation.trust.strangers import (
    CALIBRATION_PEOPLE,
    adults_of,
    embed_part,
    one_photo_each,
    pair_adults,
    score_groups,
)
from training.experiment import Experiment
from training.metrics.groups import GroupScores
from training.metrics.pooling import PooledPairs
from training.metrics.verification import PairScores


@dataclass(frozen=True)
class CalibrationPeople:
    """`sets`: people with several photos, by the name of the set. `strangers`: one photo each, if the config has them.

    `faces` are the crops of the same sets, the strangers' last.
    """

    sets: Mapping[str, Embeddings]
    faces: Mapping[str, PreparedFaces]
    strangers: Embeddings | None

    @property
    def largest(self) -> str:
        """The name of the set with the most people."""
        return max(self.sets, key=lambda name: len(_people_of(self.sets[name])))

    @property
    def detector(self) -> str:
        """The full name of the detector that made the crops."""
        return next(iter(self.faces.values())).detector

    @property
    def description(self) -> str:
        """The sets in words."""
        parts = [
            f"{name}: {len(_people_of(each))} people, {len(each.names)} photos" for name, each in self.sets.items()
        ]
        if self.strangers:
            parts.append(f"All-Age-Faces, adults: {len(adults_of(self.strangers).names)} people, one photo each")
        return "; ".join(parts)

    @cached_property
    def groups(self) -> GroupScores | None:
        """The scores within groups of strangers."""
        return score_groups(self.strangers) if self.strangers else None

    def pairs(self, without: Collection[str] = ()) -> list[PairScores]:
        """Every pair of each set, of strangers those of adults. `without`: photos to leave out."""
        pairs = [each.without(without).all_pairs() for each in self.sets.values()]
        return [*pairs, pair_adults(self.strangers)] if self.strangers else pairs

    def halves(self) -> list[PooledPairs]:
        """The same pairs, but only those within either half of the people of each set, by a hash of their names."""
        sets = [*self.sets.values(), *([adults_of(self.strangers)] if self.strangers else [])]
        return [
            PooledPairs(
                [
                    each.without([name for name in _all_names(each) if _half_of(name) != half]).all_pairs()
                    for each in sets
                ]
            )
            for half in (0, 1)
        ]

    def choose_floors(self, bundle: Bundle, calibration: Calibration) -> Recognizability | None:
        """The floors of recognizability at the default threshold; None if the encoder or the config has none."""
        if self.strangers is None or self.strangers.recognizability is None:
            return None
        usable = [each.recognizability for each in (*self.sets.values(), adults_of(self.strangers))]
        point = calibration.at_fmr()
        shown = [*self.sets.values(), adults_of(self.strangers)]
        crops = [
            one_photo_each(faces, _people_of(each), CALIBRATION_PEOPLE)
            for faces, each in zip(self.faces.values(), shown, strict=True)
        ]
        degraded = degrade_all(np.concatenate(crops), bundle.encode)
        return choose_floors(
            np.concatenate([each for each in usable if each is not None]),
            degraded,
            point.threshold,
            calibration.default_fmr,
        )


def gather_people(experiment: Experiment, bundle: Bundle, photos: Path | None) -> CalibrationPeople:
    """Embeds the people of `photos`, or of the config's sets. Raises DataError if a folder is missing."""
    if photos:
        faces = prepare_folder_for(bundle, photos, experiment.build)
        name = photos.resolve().name
        return CalibrationPeople({name: embed_people(bundle, faces, frozenset(faces.people))}, {name: faces}, None)
    sets: dict[str, Embeddings] = {}
    crops: dict[str, PreparedFaces] = {}
    folder, settings = experiment.calibration_photos, experiment.config.calibration
    if folder:
        crops[folder.name] = prepare_folder_for(bundle, folder, experiment.build)
        sets[folder.name] = embed_people(bundle, crops[folder.name], frozenset(crops[folder.name].people))
    people = experiment.split.calibration
    if people:
        name = "LFW, calibration people"
        if settings.strangers:
            people = without_known_names(people, experiment.data)
            name += " without VGGFace2's names"
        crops[name] = prepare_folder_for(bundle, lfw_photo_source(experiment.data), experiment.build)
        sets[name] = embed_people(bundle, crops[name], people)
    if not settings.strangers:
        return CalibrationPeople(sets, crops, None)
    strangers = prepare_folder_for(bundle, experiment.find_folder(settings.strangers), experiment.build)
    crops["All-Age-Faces"] = strangers
    return CalibrationPeople(sets, crops, embed_part(bundle, strangers, "calibration"))


def _people_of(embeddings: Embeddings) -> list[str]:
    return sorted({name.split("/")[0] for name in embeddings.names})


def _all_names(embeddings: Embeddings) -> list[str]:
    return [*embeddings.names, *embeddings.missing]


def _half_of(name: str) -> int:
    """0 or 1 by the person of a photo. Not by the hash that chose the calibration people."""
    return int(hash_fraction(f"half of {name.split('/')[0]}") >= 0.5)
