"""The photos that benchmarks send: LFW's, without those that the service refuses, which would be answered too fast."""

from collections.abc import Iterable
from typing import Protocol

from app.verification.recognizability import is_recognizable
from model.calibration import Recognizability
from model.detector.factory import open_detector
from model.encoder.bundle import find_bundle, load_bundle
from model.encoder.encoding import Encoding
from model.errors import PhotoError
from model.images import Pixels
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.photos import Photo, find_photos
from training.data.sets.lfw import find_data_folder, lfw_photo_source


class Encoder(Protocol):
    """What encodes crops, uint8 (B, S, S, 3)."""

    def encode(self, crops: Pixels) -> Encoding: ...


def select_photos(count: int) -> list[Photo]:
    """About `count` of LFW's photos, evenly spread over its people, whose largest face `deploy` recognises."""
    every = find_photos(lfw_photo_source(find_data_folder()))
    bundle = load_bundle(find_bundle("deploy"))
    metadata = bundle.metadata
    reader = PhotoReader(open_detector(), metadata.template_array, metadata.crop_size, alignment=metadata.alignment)
    rule = metadata.calibration.recognizability if metadata.calibration else None
    return keep_recognizable(every[:: len(every) // count], reader, bundle, rule)


def keep_recognizable(
    photos: Iterable[Photo], reader: PhotoReader, encoder: Encoder, rule: Recognizability | None
) -> list[Photo]:
    """Those whose largest face is found and is not refused as unrecognizable."""
    kept = []
    for photo in photos:
        try:
            crop = reader.read(photo.read(), FaceSelection.LARGEST).crop
        except PhotoError:
            continue
        judged = encoder.encode(crop[None]).recognizability
        if is_recognizable(rule, None if judged is None else float(judged[0])):
            kept.append(photo)
    return kept
