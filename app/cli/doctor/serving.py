"""Checks of what the service opens: the settings, the bundle and the detector, the decoders, the gallery."""

import asyncio
import io
import os
from collections.abc import Iterator

from app.addresses import is_loopback
from app.cli.configuration import describe_bad_settings
from app.cli.doctor.finding import Finding, ok, warning, wrong
from app.settings import Settings, load_settings, unused_client_key

GET_FILE = "Get the file again: git checkout model/artifacts, or install facetwin again."


def read_settings() -> Settings | list[Finding]:
    """The settings, or what is wrong with them."""
    from pydantic import ValidationError

    try:
        return load_settings()
    except ValidationError as error:
        return [wrong("settings", line, "Change or unset the variable.") for line in describe_bad_settings(error)]
    except ValueError as error:
        return [wrong("settings", str(error), "Correct the name of the variable, or unset it.")]


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Who may call."""
    place = f"{settings.host}:{settings.port}"
    if message := unused_client_key(settings):
        yield warning("settings", message, "Set FACETWIN_API_KEYS, or unset FACETWIN_API_KEY here.")
    if settings.api_keys:
        yield ok(
            "settings", f"{place} asks every caller for one of {len(settings.api_keys)} keys, or of its gallery's."
        )
    elif settings.needs_stored_key:
        yield ok("settings", f"{place} asks every caller for a key of its gallery.")
    elif is_loopback(settings.host):
        yield ok("settings", f"{place} is for this machine only, and asks for a key only if its gallery has any.")
    else:
        yield warning(
            "settings",
            f"Unless its gallery has keys, {place} asks for none: whoever reaches it can read and change the gallery.",
            "Add a key with `facetwin keys add`, unless something in front of the service checks callers.",
        )


def check_bundle(settings: Settings) -> Iterator[Finding]:
    """Whether the bundle and the detector reproduce their golden results on the device."""
    from app.inference.networks import load_networks
    from model.encoder.bundle import find_bundle
    from model.runtime.torchscript import BundleError

    try:
        path = find_bundle(settings.bundle)
        networks = load_networks(settings.device, path, settings.precision, settings.engine)
        networks.bundle.self_check()
    except BundleError as error:
        yield wrong("bundle", str(error), f"{GET_FILE} Or set FACETWIN_BUNDLE to one that `facetwin model list` shows.")
        return
    except (ValueError, RuntimeError) as error:
        yield wrong("bundle", str(error), "Set FACETWIN_DEVICE=cpu, or free memory of the GPU.")
        return
    metadata = networks.bundle.metadata
    if metadata.calibration is None:
        mend = "Run `python -m training calibrate`, or choose another bundle."
        yield wrong("bundle", f"{path} is not calibrated: it has no thresholds.", mend)
        return
    yield ok("bundle", f"{metadata.name} {metadata.version} and its detector give their golden results.")


def check_decoders(settings: Settings) -> Iterator[Finding]:
    """Whether a process that decodes photos can be started."""
    from PIL import Image

    from app.errors import NotReady
    from app.inference.decoding.pool import DecoderPool

    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    try:
        pool = DecoderPool(1, settings.max_decode_s, settings.max_decode_bytes)
    except OSError as error:
        yield wrong("decoders", f"No process can be started: {error.strerror}.", "Raise the limit of processes.")
        return
    try:
        pool.decode(stream.getvalue(), settings.image_limits)
        yield ok("decoders", "A process decodes photos within its limits.")
    except NotReady as error:
        mend = "Run `python -m app.inference.decoding.process` to see why it ends, and raise FACETWIN_MAX_DECODE_BYTES."
        yield wrong("decoders", str(error), mend)
    finally:
        pool.close()


def check_gallery(settings: Settings) -> Iterator[Finding]:
    """Whether the gallery can be opened, and holds templates that the bundle can compare. Changes nothing."""
    from app.errors import NoKeys
    from app.gallery import SQLITE_PREFIX, inspect_gallery
    from app.gallery.base import GalleryError, Schema

    in_file = settings.gallery_url.startswith(SQLITE_PREFIX)
    name = settings.gallery_url.removeprefix(SQLITE_PREFIX) if in_file else "in PostgreSQL"
    try:
        state = asyncio.run(inspect_gallery(settings.gallery_url, settings.gallery_limits))
    except GalleryError as error:
        mend = (
            "If it is locked, end the program that locks it. If it is damaged, restore a backup, or move the file away "
            "and import an export."
            if in_file
            else "Start the server, correct FACETWIN_GALLERY_URL, or install pgvector."
        )
        yield wrong("gallery", str(error), mend)
        return
    if settings.needs_stored_key and not state.active_keys and state.schema is not Schema.OLDER:
        yield wrong("gallery", str(NoKeys(settings.host)), "Run `facetwin keys add NAME --scope verify`.")
    if state.schema is Schema.ABSENT:
        yield ok("gallery", f"{name} does not exist yet; the service creates it.")
        return
    if state.schema is Schema.OLDER:
        yield ok("gallery", f"{name} is of an older version; the service migrates it at its start.")
        return
    people, templates = (sum(getattr(each, field) for each in state.galleries) for field in ("identities", "templates"))
    yield ok(
        "gallery", f"{name} has {people:,} people with {templates:,} templates, and {state.active_keys:,} active keys."
    )
    if in_file and os.stat(name).st_mode & 0o077:  # noqa: PTH116
        mend = f"chmod 600 {name}"
        yield warning("gallery", f"{name} can be read by other users of this machine.", mend)
    yield from _check_encoders(settings, {each.gallery: each.encoder_ids for each in state.galleries})


def _check_encoders(settings: Settings, encoders: dict[str, tuple[str, ...]]) -> Iterator[Finding]:
    from model.encoder.bundle import find_bundle, load_bundle
    from model.runtime.torchscript import BundleError

    if not any(encoders.values()):
        return
    try:
        served = load_bundle(find_bundle(settings.bundle)).metadata.encoder_id
    except BundleError:
        return  # check_bundle says so
    for gallery, found in encoders.items():
        if set(found) - {served}:
            yield wrong(
                "gallery",
                f"The templates of {gallery} are of another encoder than the bundle {settings.bundle}: they cannot be "
                "compared.",
                "Set FACETWIN_BUNDLE to the bundle that made them, or enroll everybody again in another gallery.",
            )
