"""Real decoder processes, on photos that cost little and on photos that cost too much."""

import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import app.inference.decoding.pool as pool_module
import app.inference.decoding.process as process_module
from app.errors import NotReady
from app.inference.decoding.messages import DecodeRequest
from app.inference.decoding.pool import DecoderPool
from model.errors import CorruptImage, EmptyImage, ImageTooLarge, PhotoError, PhotoTooExpensive, UnsupportedImage
from model.images import ImageLimits, decode_scaled
from tests.support.fakes import encoded
from tests.support.pictures import many_scans, noise, png_of_size, two_colours

MEMORY = 150 * 2**20


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    pool = DecoderPool(1, seconds=20, memory=MEMORY)
    yield pool
    pool.close()


def children() -> set[int]:
    """The decoder processes of this one."""
    found = set[int]()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split()}
    return {pid for pid in found if b"decoding.process" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def test_a_jpeg_without_its_end_marker_is_decoded_in_a_process(pool: DecoderPool) -> None:
    whole = encoded(noise(320, 240), "JPEG")
    image = pool.decode(whole[:-2])
    assert image.ends_early
    assert np.array_equal(image.pixels, decode_scaled(whole).pixels)
    with pytest.raises(CorruptImage):
        pool.decode(whole[:-20])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_a_process_decodes_as_this_process_does(pool: DecoderPool, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif, "progressive": True} if kind == "JPEG" else {}
    for photo in (noise(70, 50), two_colours()):
        data = encoded(photo, kind, **options)
        there, here = pool.decode(data), decode_scaled(data)
        assert (there.pixels == here.pixels).all()
        assert (there.scale, there.width, there.height) == (here.scale, here.width, here.height)
        there.pixels[0, 0] = 1  # writable, as any array


def test_a_large_photo_arrives_reduced(pool: DecoderPool) -> None:
    data = encoded(noise(400, 300), "PNG")
    there = pool.decode(data, None, 100 * 75)
    assert (there.scale, there.width, there.height, there.pixels.shape) == (4, 400, 300, (75, 100, 3))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyImage),
        (b"Dear Sir", UnsupportedImage),
        (encoded(noise(64, 64), "PNG")[:2000], CorruptImage),
        (png_of_size(40_000, 40_000), ImageTooLarge),
        (many_scans(3000), PhotoTooExpensive),
    ],
    ids=["empty", "text", "truncated", "bomb", "scans"],
)
def test_errors_of_a_photo_arrive_with_their_message(pool: DecoderPool, data: bytes, error: type[PhotoError]) -> None:
    with pytest.raises(error) as there:
        pool.decode(data)
    with pytest.raises(error) as here:
        decode_scaled(data)
    assert str(there.value) == str(here.value)


def test_a_photo_that_takes_too_much_memory_is_refused_and_the_process_goes_on(pool: DecoderPool) -> None:
    before = children()
    large = encoded(Image.new("RGB", (8000, 6000)), "PNG")  # 192 MB as Pillow holds it
    with_copies = encoded(Image.new("RGB", (4000, 3000)), "WEBP", method=0)  # 180 MB as its decoder holds it
    for data in (large, with_copies):
        with pytest.raises(PhotoTooExpensive, match="time or memory"):
            pool.decode(data, None, 100)
    assert pool.decode(encoded(two_colours(), "PNG")).width == 64
    assert children() == before
    assert pool.decode(encoded(Image.new("RGB", (4000, 3000)), "PNG"), None, 100).scale == 8


def test_a_photo_that_takes_too_long_ends_its_process_in_time_and_another_one_takes_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "PATIENCE", 1000)  # so that only the processor's time can end it
    others, large = children(), encoded(noise(8000, 4000), "WEBP", quality=1, method=0)
    pool = DecoderPool(1, seconds=0.1, memory=1000 * 2**20)
    try:
        pool.decode(encoded(two_colours(), "PNG"))  # it has started
        before = children() - others
        start = time.monotonic()
        with pytest.raises(PhotoTooExpensive, match="time or memory"):
            pool.decode(large, ImageLimits(), 100)
        assert time.monotonic() - start < 10
        assert not before & children()
        assert pool.decode(encoded(two_colours(), "PNG")).width == 64
    finally:
        pool.close()


def end_process_at(monkeypatch: pytest.MonkeyPatch, number: signal.Signals, times: int) -> None:
    """Ends the process of each of the next photos when it has the photo."""
    ask, left = pool_module._Process._ask, [None] * times

    def ask_and_end(process: Any, *arguments: Any) -> Any:
        process._wait_until_ready()
        if left:
            left.pop()
            os.kill(process._process.pid, number)
        return ask(process, *arguments)

    monkeypatch.setattr(pool_module._Process, "_ask", ask_and_end)


def test_a_process_that_ends_once_is_replaced_and_the_photo_decoded(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pool.replaced
    end_process_at(monkeypatch, signal.SIGKILL, times=1)
    assert pool.decode(encoded(two_colours(), "PNG")).width == 64
    assert pool.replaced == before + 1


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGSEGV, CorruptImage), (signal.SIGKILL, PhotoTooExpensive)], ids=["crash", "memory"]
)
def test_a_photo_that_ends_two_processes_is_refused_and_a_third_takes_their_place(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, error: type[PhotoError]
) -> None:
    end_process_at(monkeypatch, number, times=2)
    with pytest.raises(error):
        pool.decode(encoded(two_colours(), "PNG"))
    assert pool.decode(encoded(two_colours(), "PNG")).width == 64


def test_a_process_that_cannot_start_is_not_the_fault_of_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        pool = DecoderPool(1, seconds=20, memory=MEMORY)
        with pytest.raises(NotReady):
            pool.decode(encoded(two_colours(), "PNG"))
        broken.setattr(sys, "executable", "/nowhere")
        for _ in range(2):
            with pytest.raises(NotReady):
                pool.decode(encoded(two_colours(), "PNG"))
    assert pool.decode(encoded(two_colours(), "PNG")).width == 64
    pool.close()


def test_a_process_leaves_sigterm_to_its_service_and_has_an_end_without_it() -> None:
    others = children()
    pool = DecoderPool(1, seconds=3, memory=MEMORY)
    pool.decode(encoded(two_colours(), "PNG"))
    (pid,) = children() - others
    os.kill(pid, signal.SIGTERM)
    assert pool.decode(encoded(two_colours(), "PNG")).width == 64
    assert children() - others == {pid}
    soft, _ = resource.prlimit(pid, resource.RLIMIT_CPU)
    assert 5 <= soft <= 12
    pool.close()


@pytest.mark.parametrize("error", [OverflowError, TypeError, RecursionError])
def test_whatever_a_decoder_raises_is_damage(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(process_module, "decode_scaled", fail)
    request = DecodeRequest(b"photo", ImageLimits(), None, os.memfd_create("pixels"))
    assert process_module._answer(request, MEMORY)["error"] == "CorruptImage"


def test_a_small_ordinary_jpeg_needs_no_process() -> None:
    pool = DecoderPool(0, seconds=1, memory=MEMORY)  # a photo that needs one would wait for ever
    assert pool.decode(encoded(noise(640, 480), "JPEG")).width == 640
    assert pool.decode(encoded(noise(320, 240), "JPEG", progressive=True)).width == 320


def test_memory_returns_after_a_large_photo(pool: DecoderPool) -> None:
    small, large = encoded(two_colours(), "PNG"), encoded(noise(2000, 1500), "WEBP", quality=1, method=0)

    def resident() -> int:
        (pid,) = children()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    for _ in range(3):
        pool.decode(small)
    before = resident()
    for _ in range(2):
        assert pool.decode(large, None, 1000).scale == 8  # some 50 MB meanwhile
    pool.decode(small)
    assert resident() < 1.2 * before


def test_pixels_outlive_their_pool() -> None:
    others = children()
    pool = DecoderPool(1, seconds=20, memory=MEMORY)
    pixels = pool.decode(encoded(two_colours(), "PNG")).pixels
    pool.close()
    assert children() == others
    assert np.array_equal(pixels, np.asarray(two_colours()))


def test_a_process_knows_no_secret_and_ends_with_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_API_KEYS", "a-key-of-sixteen!")
    others = children()
    pool = DecoderPool(1, seconds=20, memory=MEMORY)
    pool.decode(encoded(two_colours(), "PNG"))
    (pid,) = children() - others
    assert b"FACETWIN" not in Path(f"/proc/{pid}/environ").read_bytes()
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "numpy" in maps
    assert "torch" not in maps
    pool._idle.queue[0]._socket.close()  # as the kernel does when the service is killed
    for _ in range(100):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the process still runs")
    pool.close()
