"""A bundle's embeddings of people's photos, and the scores of their pairs."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.encoder.bundle import Bundle
from model.encoder.encoding import Encoding, join_encodings
from training.data.errors import DataError
from training.data.pairs import Pair
from training.data.prepared_faces import PreparedFaces
from training.data.splits import label_people, select_rows
from training.encoder.paired.feature_store import FeatureStore
from training.evaluation.calibration.points import MIN_FALSE_MATCHES
from training.metrics.verification import MISSING_SCORE, PairScores, compare_all_pairs
from training.optimization.distributed import pick_device

BATCH: Final = 256
KEPT_AT_ONCE: Final = 1024  # rows, after which their encodings are written
FMRS: Final = (1e-2, 1e-3, 1e-4, 1e-5)


@dataclass(frozen=True)
class Embeddings:
    """Unit vectors of photos, and the names of the photos in which no face was found."""

    vectors: NDArray[np.float32]  # (N, D)
    names: tuple[str, ...]  # (N,)
    missing: tuple[str, ...]
    recognizability: NDArray[np.float32] | None = None  # (N,); None if the encoder does not give it

    def similarities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """The cosine of each pair, (P,); MISSING_SCORE if a photo of it has no face.

        Raises DataError if a pair names a photo that is not here.
        """
        row_of = {name: row for row, name in enumerate(self.names)}
        missing = set(self.missing)
        unknown = {name for pair in pairs for name in (pair.first, pair.second)} - set(row_of) - missing
        if unknown:
            raise DataError(
                f"{len(unknown)} photos of the pairs are not among the prepared photos, such as {min(unknown)}."
            )
        return np.array(
            [
                MISSING_SCORE
                if pair.first in missing or pair.second in missing
                else float(self.vectors[row_of[pair.first]] @ self.vectors[row_of[pair.second]])
                for pair in pairs
            ]
        )

    def without(self, photos: Collection[str]) -> "Embeddings":
        """A copy that leaves out these photos."""
        kept = [row for row, name in enumerate(self.names) if name not in photos]
        missing = tuple(name for name in self.missing if name not in photos)
        judged = None if self.recognizability is None else self.recognizability[kept]
        return Embeddings(self.vectors[kept], tuple(self.names[row] for row in kept), missing, judged)

    def all_pairs(self) -> PairScores:
        """The scores of every pair of photos. Pairs with a photo without a face count as rejected."""
        people = [name.split("/")[0] for name in (*self.names, *self.missing)]
        labels = label_people(people)
        return compare_all_pairs(self.vectors, labels[: len(self.names)], labels[len(self.names) :])


def embed(bundle: Bundle, faces: PreparedFaces, rows: NDArray[np.int64]) -> Encoding:
    """What the encoder says about these rows, computed on the GPU if there is one.

    It is kept beside crops that are files. Raises DataError if there are no rows, or if the crops do not fit the
    encoder.
    """
    if not len(rows):
        raise DataError("No face was found in any of the photos. Choose photos that each show a person's face.")
    if faces.crops.shape[1] - 2 * faces.margin != bundle.metadata.crop_size:
        raise DataError(
            f"The prepared crops are not of the {bundle.metadata.crop_size} pixels that {bundle.metadata.name} needs. "
            "Name a config with that crop size."
        )
    device = pick_device()
    encoder = bundle if device.type == "cpu" else replace(bundle, module=bundle.module.to(device))
    if faces.folder is None:
        return _encode(encoder, faces, rows)
    recipe = hashlib.sha256(json.dumps(faces.recipe, sort_keys=True).encode()).hexdigest()
    store = FeatureStore(faces.folder / "encodings" / f"{bundle.metadata.encoder_id[:16]}-{recipe[:8]}")
    missing = np.array([row for row in rows if str(row) not in store.load()], np.int64)
    for start in range(0, len(missing), KEPT_AT_ONCE):
        part = missing[start : start + KEPT_AT_ONCE]
        encoding = _encode(encoder, faces, part)
        judged = np.zeros((len(part), 0)) if encoding.recognizability is None else encoding.recognizability[:, None]
        store.add([str(row) for row in part], np.hstack([encoding.vectors, judged]).astype(np.float32))
    kept = np.stack([store.load()[str(row)] for row in rows])
    dim = bundle.metadata.embedding_dim
    return Encoding(np.ascontiguousarray(kept[:, :dim]), kept[:, dim] if kept.shape[1] > dim else None)


def _encode(bundle: Bundle, faces: PreparedFaces, rows: NDArray[np.int64]) -> Encoding:
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    return join_encodings([bundle.encode(faces.without_margin(batch)) for batch in batches])


def embed_people(bundle: Bundle, faces: PreparedFaces, people: frozenset[str]) -> Embeddings:
    """The embeddings of every photo of these people. Raises DataError like `embed`."""
    rows = select_rows(faces.people, people)
    encoding = embed(bundle, faces, rows)
    missing = tuple(sorted(name for name in faces.missing if name.split("/")[0] in people))
    return Embeddings(encoding.vectors, tuple(faces.names[row] for row in rows), missing, encoding.recognizability)


def supported_fmrs(pairs: PairScores, fmrs: Sequence[float]) -> list[float]:
    """Those of the rates at which the pairs give at least MIN_FALSE_MATCHES false matches."""
    return [
        fmr
        for fmr in fmrs
        if fmr * pairs.impostor_pairs >= MIN_FALSE_MATCHES and int(fmr * pairs.impostor_pairs) < len(pairs.impostor) - 1
    ]
