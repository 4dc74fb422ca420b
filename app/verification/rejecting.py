"""The use-case that remembers whom an identity is not."""

from collections.abc import Sequence

from app.gallery.rejection import NewRejection
from app.verification.embedding import read_embedding
from app.verification.recognizability import require_recognizable
from app.verification.results import RejectionResult
from app.verification.service import FaceService
from model.selection import FaceSelection


async def reject_photo(
    service: FaceService, gallery: str, identity: str, image: bytes, selection: FaceSelection
) -> RejectionResult:
    """Remembers that the face is not the identity's.

    Raises UnknownGallery, UnknownIdentity, EncoderMismatch, TooManyRejections.
    """
    encoded = await service.encode({"image": image}, selection)
    require_recognizable(service.calibration.recognizability, encoded.recognizability[0], "image")
    store = service.gallery
    new = NewRejection(gallery, identity, encoded.embeddings[0], service.model.encoder_id)
    stored = await store.add_rejection(new)
    return RejectionResult(
        stored.rejection_id,
        identity,
        gallery,
        encoded.describe(0),
        service.model,
        encoded.timings_ms,
        encoded.notices,
    )


async def reject_embedding(
    service: FaceService, gallery: str, identity: str, embedding: Sequence[float], encoder_id: str
) -> RejectionResult:
    """Like `reject_photo`, for an embedding. Also raises EmbeddingMismatch and MalformedRequest."""
    vector = read_embedding(service, embedding, encoder_id)
    stored = await service.gallery.add_rejection(NewRejection(gallery, identity, vector, encoder_id))
    return RejectionResult(stored.rejection_id, identity, gallery, None, service.model, {})
