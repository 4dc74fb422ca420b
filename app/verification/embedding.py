"""Embeddings that callers send instead of photos."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.errors import EmbeddingMismatch, MalformedRequest
from app.verification.liveness import LivenessMode
from app.verification.service import FaceService


def read_embedding(service: FaceService, embedding: Sequence[float], encoder_id: str) -> NDArray[np.float32]:
    """Returns the embedding as a vector (D,) of exactly unit length; the caller has checked that it is nearly.

    Raises EmbeddingMismatch for one of another encoder, MalformedRequest for one of another dimension, and for
    any where the operator requires live faces.
    """
    if service.least_liveness is LivenessMode.REQUIRE:
        message = "shows nobody: this service requires live faces, so send a photo"
        raise MalformedRequest([{"field": "embedding", "message": message}])
    if encoder_id != service.model.encoder_id:
        raise EmbeddingMismatch
    if len(embedding) != service.dimension:
        message = f"has {len(embedding)} numbers; embeddings of this encoder have {service.dimension}"
        raise MalformedRequest([{"field": "embedding", "message": message}])
    vector = np.array(embedding, np.float64)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
