"""What a gallery is tested with."""

from typing import Any

import numpy as np

from app.gallery.base import NewTemplate

ENCODER = "e" * 64


def vector(seed: int, dimension: int = 8) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=dimension)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def new(
    identity: str,
    seed: int = 0,
    gallery: str = "default",
    encoder_id: str = ENCODER,
    metadata: dict[str, Any] | None = None,
) -> NewTemplate:
    return NewTemplate(gallery, identity, vector(seed), encoder_id, "mtcnn", 0.8, metadata)
