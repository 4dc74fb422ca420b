"""Validation of a paired encoder on people who do not train: accuracy at the threshold that strangers allow."""

from dataclasses import dataclass
from typing import Final

import torch

from model.calibration import WORST_GROUP_FACTOR
from model.encoder.paired import PairedEncoder
from training.data.degradations import KINDS
from training.data.sets.all_age_faces import parse_name
from training.data.splits import label_people
from training.encoder.paired.branch_features import BranchFeatures, CropSet
from training.metrics.groups import compare_within_groups
from training.metrics.verification import compare_all_pairs, tar_by_people

FMRS: Final = (1e-3, 1e-4)


@dataclass(frozen=True)
class PairedValidation:
    """The features of validation people of LFW (several photos a person) and of All-Age-Faces (one photo a person)."""

    people: CropSet
    strangers: CropSet
    degraded: CropSet  # some adults among the strangers
    features: BranchFeatures
    fmr: float

    @torch.inference_mode()
    def __call__(self, encoder: PairedEncoder) -> dict[str, float]:
        """The score is the mean of the TAR by pairs and by people at the lowest threshold at which LFW's FMR is at most
        `fmr` and that of no group of adults above WORST_GROUP_FACTOR times `fmr`."""
        vectors, strangers = (
            encoder.embed_features(torch.from_numpy(self.features.compute(each))).numpy()
            for each in (self.people, self.strangers)
        )
        pairs = compare_all_pairs(vectors, label_people([name.split("/")[0] for name in self.people.names]))
        shown = [parse_name(name) for name in self.strangers.names]
        groups = compare_within_groups(
            strangers,
            [person.group for person in shown],
            frozenset(person.group for person in shown if person.is_adult),
        )
        threshold = max(pairs.threshold_at(self.fmr), groups.threshold_at(WORST_GROUP_FACTOR * self.fmr))
        accepted = float((pairs.genuine >= threshold).mean())
        by_people = tar_by_people(pairs, threshold)
        return {
            "score": (accepted + by_people) / 2,
            "tar": accepted,
            "tar_by_people": by_people,
            "worst_group_fmr": (groups.worst_adults_at(pairs.threshold_at(self.fmr)) or ("", 0.0))[1],
            "degraded_fmr": max(self._degraded_fmr(encoder, kind, threshold) for kind in KINDS),
            **{f"tar_at_{fmr:g}": pairs.tar_at(fmr) for fmr in FMRS},
        }

    def _degraded_fmr(self, encoder: PairedEncoder, kind: str, threshold: float) -> float:
        """Of all pairs of strangers whose crops are degraded in the same way."""
        vectors = encoder.embed_features(torch.from_numpy(self.features.compute(self.degraded, kind)))
        first, second = torch.triu_indices(len(vectors), len(vectors), 1)
        return float(((vectors @ vectors.T)[first, second] >= threshold).float().mean())
