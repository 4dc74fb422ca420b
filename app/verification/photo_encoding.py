"""Photos -> faces and embeddings, on the threads of the workers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.inference.workers import JobResult, Workers
from app.verification.detected_face import DetectedFace, FaceMeasures, FacePose, FaceQuality, LivenessResult
from app.verification.liveness import LivenessCheck
from app.verification.notices import Notice, NoticeCode
from model.encoder.encoding import Encoding
from model.errors import PhotoError
from model.face import Face
from model.images import Pixels
from model.pipeline import AlignedFace, PhotoFaces, PhotoReader
from model.quality import Quality
from model.selection import FaceSelection

T = TypeVar("T")

ENDS_EARLY: Final = Notice(
    NoticeCode.ENDS_EARLY,
    "A JPEG lacks its end marker. Its pixels are complete, but whatever wrote or sent it lost its end.",
)


@dataclass(frozen=True)
class EncodedFaces:
    """One face per photo of a request, and what the encoder says about them, in the same order."""

    fields: Sequence[str]  # of the request, one for each photo
    faces: Sequence[AlignedFace]
    encoding: Encoding
    timings_ms: Mapping[str, float]
    liveness: Sequence[LivenessResult] = ()  # of each face, if it was asked for

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Unit vectors (B, D)."""
        return self.encoding.vectors

    @property
    def recognizability(self) -> list[float | None]:
        """Of each face; None if the encoder does not say."""
        judged = self.encoding.recognizability
        return [None] * len(self.faces) if judged is None else [float(each) for each in judged]

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What to know about the photos' files."""
        return (ENDS_EARLY,) if any(face.ends_early for face in self.faces) else ()

    def describe(self, index: int) -> DetectedFace:
        """The face of one photo as the API reports it."""
        face = self.faces[index]
        liveness = self.liveness[index] if self.liveness else None
        return describe_face(face.face, face.quality, face.faces_in_photo, self.recognizability[index], liveness)


async def encode_photos(
    reader: PhotoReader,
    workers: Workers,
    photos: Mapping[str, bytes],
    selection: FaceSelection,
    check: LivenessCheck | None = None,
) -> EncodedFaces:
    """Reads the photos of one request in parallel and encodes their faces in one batch. With a check, their liveness is
    judged meanwhile.

    Raises PhotoError with `field` set to the photo's name, and PresentationAttack.
    """
    cut = None if check is None else check.cut

    async def read(name: str, data: bytes) -> JobResult[AlignedFace]:
        return await workers.run(lambda: _with_field(name, lambda: reader.read(data, selection, cut)))

    answers = await asyncio.gather(*(read(*each) for each in photos.items()), return_exceptions=True)
    read_photos: list[JobResult[AlignedFace]] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer  # the first photo's error, whichever failed first
        read_photos.append(answer)
    faces = [photo.result for photo in read_photos]
    encoded, judged = await _encode_and_judge(workers, faces, check, tuple(photos))
    stages = {stage: sum(face.timings_ms[stage] for face in faces) for stage in ("decode", "detect", "align")}
    queue_ms = max(photo.queue_ms for photo in read_photos) + encoded.queue_ms
    timings_ms = {**stages, "queue": queue_ms, "encode": encoded.run_ms, **_judging_time(check, judged)}
    return EncodedFaces(tuple(photos), faces, encoded.result, timings_ms, judged.result)


async def encode_every_face(
    reader: PhotoReader,
    workers: Workers,
    field: str,
    photo: bytes,
    selection: FaceSelection,
    most: int,
    check: LivenessCheck | None = None,
) -> EncodedFaces:
    """Encodes every face of one photo in one batch: the selected one first, then the largest, together at most `most`.
    With a check, their liveness is judged meanwhile.

    Raises PhotoError with `field` set, and PresentationAttack.
    """
    cut = None if check is None else check.cut
    answer = await workers.run(lambda: _with_field(field, lambda: reader.read_all(photo, selection, most, cut)))
    faces = answer.result
    fields = (field,) * len(faces)
    encoded, judged = await _encode_and_judge(workers, faces, check, fields)
    timings_ms = {**faces[0].timings_ms, "align": sum(face.timings_ms["align"] for face in faces)}
    queue_ms = answer.queue_ms + encoded.queue_ms
    timings_ms |= {"queue": queue_ms, "encode": encoded.run_ms, **_judging_time(check, judged)}
    return EncodedFaces(fields, faces, encoded.result, timings_ms, judged.result)


async def detect_faces(
    reader: PhotoReader, workers: Workers, field: str, photo: bytes, check: LivenessCheck | None = None
) -> tuple[JobResult[PhotoFaces], JobResult[tuple[LivenessResult, ...]]]:
    """Finds every face of one photo, and judges the liveness of each if there is a check.

    Raises the same errors as `encode_photos`, except NoFaceFound.
    """
    cut = None if check is None else check.cut
    detected = await workers.run(lambda: _with_field(field, lambda: reader.detect_all(photo, cut)))
    surroundings = detected.result.surroundings
    return detected, await _judge(check, surroundings, (field,) * len(surroundings))


async def _encode_and_judge(
    workers: Workers, faces: Sequence[AlignedFace], check: LivenessCheck | None, fields: Sequence[str]
) -> tuple[JobResult[Encoding], JobResult[tuple[LivenessResult, ...]]]:
    surroundings = [face.surroundings for face in faces if face.surroundings is not None]
    encoding = workers.encode(np.stack([face.crop for face in faces]))
    encoded, judged = await asyncio.gather(encoding, _judge(check, surroundings, fields))
    return encoded, judged


async def _judge(
    check: LivenessCheck | None, surroundings: Sequence[Pixels], fields: Sequence[str]
) -> JobResult[tuple[LivenessResult, ...]]:
    if check is None:
        return JobResult((), 0.0, 0.0)
    judged = await check.judge_faces(surroundings)
    check.enforce(judged.result, fields)
    return judged


def _judging_time(check: LivenessCheck | None, judged: JobResult[tuple[LivenessResult, ...]]) -> dict[str, float]:
    return {} if check is None else {"liveness": judged.run_ms}


def describe_face(
    face: Face,
    quality: Quality,
    faces_in_photo: int,
    recognizability: float | None = None,
    liveness: LivenessResult | None = None,
) -> DetectedFace:
    """A face as the API reports it: coordinates rounded to 0.1 pixel."""
    left, top, right, bottom = (round(float(value), 1) for value in face.box)
    return DetectedFace(
        box=(left, top, right, bottom),
        landmarks=tuple((round(float(x), 1), round(float(y), 1)) for x, y in face.landmarks),
        detection_score=round(face.score, 4),
        pose=FacePose(*(round(angle, 1) for angle in (quality.pose.yaw, quality.pose.pitch, quality.pose.roll))),
        quality=FaceQuality(
            score=quality.score,
            reasons=quality.reasons,
            reason_codes=quality.codes,
            measures=FaceMeasures(**{name: round(value, 2) for name, value in vars(quality.measures).items()}),
            recognizability=None if recognizability is None else round(recognizability, 3),
        ),
        rotation=face.rotation,
        faces_in_photo=faces_in_photo,
        liveness=liveness,
    )


def _with_field(field: str, read: Callable[[], T]) -> T:
    """Runs `read` and adds to its PhotoError which photo of the request it is about."""
    try:
        return read()
    except PhotoError as error:
        error.field = field
        raise
