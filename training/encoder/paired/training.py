"""The loss that trains the layers over the branches of a paired encoder: the contrastive loss on three kinds of pairs.

1. LFW's training people: genuine and impostor pairs.
2. All-Age-Faces, one photo a person: impostor pairs of people who look unlike those of LFW.
3. Both again with degraded crops, one kind a step: two strangers in masks must not resemble each other for their masks.

The layers that judge a face learn the cosine of a crop's embedding with the person's other, clean crops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from model.encoder.paired import VECTORS, PairedEncoder
from model.encoder.retail_0095 import Retail0095
from training.config import Config, HeadConfig
from training.data.degradations import KINDS
from training.data.sampling import BalancedSampler
from training.data.splits import label_people
from training.encoder.losses import ContrastiveLoss
from training.encoder.paired.branch_features import CLEAN, BranchFeatures, CropSet

CLEAN_PARTNERS: Final = 0.5  # share of the degraded people's second crops that are clean
JUDGED: Final = 256  # crops of each source that teach the judgement in one step


@dataclass(frozen=True)
class PairedCrops:
    """The crops that train. `faceless`: parts of photos without people."""

    people: CropSet  # several photos a person
    impostors: CropSet  # one photo a person
    degraded_people: CropSet  # some of the people, two photos or more each
    degraded_impostors: CropSet  # some of the impostors
    faceless: CropSet


@dataclass(frozen=True)
class _Source:
    """The features of the same crops by kind, (N, FEATURES) each, and the person of each row (N,)."""

    features: dict[str, Tensor]
    people: NDArray[np.int64]

    def of(self, kind: str, rows: NDArray[np.int64]) -> Tensor:
        return self.features[kind][torch.from_numpy(rows)]


class PairedTraining:
    """Computes the loss of each step from features that were computed before."""

    def __init__(self, encoder: PairedEncoder, config: Config, head: HeadConfig, sources: "PairedSources") -> None:
        self.encoder, self._head, self.sources, self._seed = encoder, head, sources, config.training.seed
        self._loss = ContrastiveLoss(config.loss)
        self._people = BalancedSampler(
            sources.people.people, config.sampling.people, config.sampling.photos, self._seed
        )
        self._degraded = BalancedSampler(sources.degraded_people.people, head.degraded_people, 2, self._seed + 1)
        self._start = [each.detach().clone() for each in encoder.project.parameters()]

    def compute(self, step: int) -> Tensor:
        """The loss of this step, a scalar. It depends on the weights, the seed and the step alone."""
        rng = np.random.default_rng((self._seed, step))
        head, sources = self._head, self.sources
        kind = list(KINDS)[step % len(KINDS)] if head.degraded_weight else CLEAN
        rows = self._people.batch(step)
        loss = self._pairs(sources.people.of(CLEAN, rows), sources.people.people[rows])
        loss = loss + head.impostor_weight * self._impostor_pairs(
            sources.impostors, CLEAN, head.impostors_per_batch, rng
        )
        if head.degraded_weight:
            degraded = self._degraded_pairs(kind, step, rng) + head.impostor_weight * self._impostor_pairs(
                sources.degraded_impostors, kind, head.degraded_impostors, rng
            )
            loss = loss + head.degraded_weight * degraded
        held = zip(self.encoder.project.parameters(), self._start, strict=True)
        distance = torch.stack([(now - start).square().sum() for now, start in held]).sum()
        return loss + head.hold * distance + self._judgement(kind, rng)

    def _pairs(self, features: Tensor, people: NDArray[np.int64]) -> Tensor:
        loss: Tensor = self._loss(self.encoder.embed_features(features), torch.from_numpy(people))
        return loss

    def _impostor_pairs(self, source: _Source, kind: str, count: int, rng: np.random.Generator) -> Tensor:
        rows = _draw(rng, len(source.people), count)
        return self._pairs(source.of(kind, rows), np.arange(len(rows)))

    def _degraded_pairs(self, kind: str, step: int, rng: np.random.Generator) -> Tensor:
        """Of two crops a person: the first is degraded, the second degraded or clean."""
        source = self.sources.degraded_people
        rows = self._degraded.batch(step)
        clean = (np.arange(len(rows)) % 2 == 1) & (rng.random(len(rows)) < CLEAN_PARTNERS)
        features = torch.where(torch.from_numpy(clean)[:, None], source.of(CLEAN, rows), source.of(kind, rows))
        return self._pairs(features, source.people[rows])

    def _judgement(self, kind: str, rng: np.random.Generator) -> Tensor:
        """The squared error of the judgement, on clean, degraded and faceless crops."""
        sources = self.sources
        people, impostors = sources.degraded_people, sources.degraded_impostors
        own, others = _draw(rng, len(people.people), JUDGED), _draw(rng, len(impostors.people), JUDGED)
        seen = [people.of(CLEAN, own), people.of(kind, own), impostors.of(CLEAN, others), impostors.of(kind, others)]
        faceless = sources.faceless.of(CLEAN, _draw(rng, len(sources.faceless.people), JUDGED))
        with torch.no_grad():
            targets = [self._cosines_with_others(rows, own) for rows in seen[:2]]
            # People with one photo have no other: their clean crop stands for one that is as far away as people's are.
            itself = [
                (self.encoder.embed_features(rows) * self.encoder.embed_features(seen[2])).sum(1) for rows in seen[2:]
            ]
            targets += [targets[0].mean() * each for each in itself]
            targets.append(torch.zeros(len(faceless)))
        return F.mse_loss(self.encoder.recognizability(torch.cat([*seen, faceless])), torch.cat(targets).clamp(0, 1))

    def _cosines_with_others(self, features: Tensor, rows: NDArray[np.int64]) -> Tensor:
        """The mean cosine of each row's embedding with the other clean crops of the same person, (n,)."""
        source = self.sources.degraded_people
        clean = self.encoder.embed_features(source.features[CLEAN])  # (N, D)
        people = torch.from_numpy(source.people)
        totals = torch.zeros(int(people.max()) + 1, clean.shape[1]).index_add_(0, people, clean)
        index = torch.from_numpy(rows)
        others = totals[people[index]] - clean[index]
        counts = torch.bincount(people)[people[index]] - 1
        return (self.encoder.embed_features(features) * others).sum(dim=1) / counts


@dataclass(frozen=True)
class PairedSources:
    """The features of `PairedCrops`."""

    people: _Source
    impostors: _Source
    degraded_people: _Source
    degraded_impostors: _Source
    faceless: _Source


def load_sources(features: BranchFeatures, crops: PairedCrops, *, degraded: bool = True) -> PairedSources:
    """Computes the features that do not exist yet, and loads all of them; of degraded crops only if asked to."""
    kinds = [CLEAN, *KINDS] if degraded else [CLEAN]
    return PairedSources(
        _load(features, crops.people, [CLEAN]),
        _load(features, crops.impostors, [CLEAN]),
        _load(features, crops.degraded_people, kinds),
        _load(features, crops.degraded_impostors, kinds),
        _load(features, crops.faceless, [CLEAN]),
    )


@torch.no_grad()
def start_layer(encoder: PairedEncoder, retail_share: float, features: Tensor) -> None:
    """Sets the fully connected layer to the principal components of the weighed vectors of these features.

    Scores are then those of `retail_share` times retail-0095's cosine plus the rest times SFace's, up to what the
    components leave out.
    """
    weights = torch.full((VECTORS,), (1 - retail_share) ** 0.5)
    weights[: Retail0095.DIM] = retail_share**0.5
    weighed = features[:, :VECTORS] * weights
    # Without centring: scores are cosines, which centring would change.
    _, _, components = torch.linalg.svd(weighed, full_matrices=False)
    encoder.project.weight.copy_(components[: encoder.embedding_dim] * weights)
    encoder.project.bias.zero_()


def _load(features: BranchFeatures, crops: CropSet, kinds: Sequence[str]) -> _Source:
    people = label_people([name.split("/")[0] for name in crops.names])
    return _Source({kind: torch.from_numpy(features.compute(crops, kind)) for kind in kinds}, people)


def _draw(rng: np.random.Generator, rows: int, count: int) -> NDArray[np.int64]:
    return rng.choice(rows, min(count, rows), replace=False)
