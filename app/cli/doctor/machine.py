"""Checks of the machine: device, memory, disk, open files, port."""

import os
import resource
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.cli.doctor.finding import Finding, ok, warning, wrong
from app.control_groups import ROOT, control_groups
from app.gallery import SQLITE_PREFIX
from app.settings import Settings

MIB: Final = 2**20
PROCESS_BYTES: Final = 1200 * MIB  # of one service process with the bundle `deploy`, after some requests
DISK_LOW: Final = 1024 * MIB
DISK_FULL: Final = 50 * MIB
SPARE_FILES: Final = 128  # that a process opens besides connections
ASK_S: Final = 5.0  # for the answer of a program that listens on our port


def check_device(settings: Settings) -> Iterator[Finding]:
    """Whether torch finds the device that the settings name, and a GPU that nobody uses."""
    from app.inference.encoder import describe_gpu, resolve_device
    from model.encoder.bundle import Precision
    from model.runtime.processor import has_bf16, instruction_set, processor_name

    try:
        device = resolve_device(settings.device)
    except ValueError as error:
        yield wrong("device", str(error), "Set FACETWIN_DEVICE=auto to serve on the CPU until then.")
        return
    if settings.precision is Precision.BFLOAT16 and (device != "cpu" or not has_bf16()):
        message = f"FACETWIN_PRECISION=bf16 needs a CPU with AVX-512; this is {device} with {instruction_set()}."
        yield wrong("device", message, "Set FACETWIN_PRECISION=float32.")
    if device == "cuda":
        yield ok("device", f"cuda: {describe_gpu()}")
        return
    yield ok("device", f"cpu: {processor_name()} ({instruction_set()}), {settings.threads_or_default} threads")
    if settings.device == "auto" and Path("/proc/driver/nvidia/version").exists():
        yield warning(
            "device",
            "This machine has an NVIDIA driver, but torch finds no GPU.",
            "Install PyPI's torch and a driver for its CUDA; in a container, start it with access to the GPU. Or set "
            "FACETWIN_DEVICE=cpu, if the CPU is meant.",
        )


def check_memory(settings: Settings, root: Path = ROOT) -> Iterator[Finding]:
    """Whether the processes fit in what is free, in the machine and in the container."""
    free = available_memory(root)
    if free is None:
        yield warning("memory", "It cannot be measured here.", f"Provide {PROCESS_BYTES // MIB:,} MiB per process.")
        return
    needed = settings.workers * PROCESS_BYTES
    found = f"{free // MIB:,} MiB are free; {settings.workers} process(es) take about {needed // MIB:,} MiB"
    if free < needed:
        mend = "Give the container or machine more memory, or set a smaller FACETWIN_WORKERS."
        yield warning("memory", f"{found}, unless they run already.", mend)
    else:
        yield ok("memory", f"{found}.")


def available_memory(root: Path = ROOT) -> int | None:
    """Bytes that this machine, and each control group around this process, still has; None if nobody says."""
    limits: list[int] = []
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        limits += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:
        pass
    for version, folder in control_groups("memory", root):
        limit, used = (
            ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        )
        try:
            # "max" is no number: ValueError. The cache of files is used, too, but given up when memory is needed.
            statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            in_use = int((folder / used).read_text()) - int(statistics.get("inactive_file", 0))
            limits.append(max(int((folder / limit).read_text()) - in_use, 0))
        except (OSError, ValueError):
            continue
    return min(limits, default=None)


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Whether the gallery's folder has room and can be written, and temporary files can be made."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        yield wrong("disk", f"No temporary file can be made: {error}.", "Set TMPDIR to a folder that can be written.")
    if not settings.gallery_url.startswith(SQLITE_PREFIX):
        return
    path = Path(settings.gallery_url.removeprefix(SQLITE_PREFIX)).absolute()
    folder = next(each for each in path.parents if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        message = f"{folder} cannot be written by this user; the gallery {path} belongs there."
        yield wrong("disk", message, "Change its owner, or set FACETWIN_GALLERY_URL=sqlite:///PATH to another folder.")
        return
    free = shutil.disk_usage(folder).free
    found = f"{free // MIB:,} MiB are free in {folder}"
    if free < DISK_FULL:
        yield wrong("disk", f"{found}: too few to enroll anybody.", "Free some space, or move the gallery.")
    elif free < DISK_LOW:
        yield warning("disk", f"{found}.", "Free some space before it is full: enrollments would then be refused.")
    else:
        yield ok("disk", f"{found}.")


def check_open_files(settings: Settings) -> Iterator[Finding]:
    """Whether a process may open as many files as it may have connections."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + SPARE_FILES
    if allowed == resource.RLIM_INFINITY or allowed >= needed:
        return
    yield warning(
        "open files",
        f"A process may open {allowed:,} files, and may have {settings.max_connections:,} connections.",
        f"ulimit -n {needed}"
        + ("" if most == resource.RLIM_INFINITY or most >= needed else " (as root)")
        + f", or set FACETWIN_MAX_CONNECTIONS to at most {max(allowed - SPARE_FILES, 1):,}.",
    )


def check_port(settings: Settings) -> Iterator[Finding]:
    """Whether the service can listen, or listens already."""
    place = f"{settings.host}:{settings.port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the service does
            probe.bind(address)
    except PermissionError:
        yield wrong("port", f"This user may not listen on {place}.", "Set FACETWIN_PORT to 1024 or more.")
    except OSError as error:
        yield from _describe_used_port(settings, place, error)
    else:
        yield ok("port", f"{place} is free.")


def _describe_used_port(settings: Settings, place: str, error: OSError) -> Iterator[Finding]:
    from errno import EADDRINUSE

    from facetwin_client import NO_RETRIES, ApiError, Facetwin

    if error.errno != EADDRINUSE:
        mend = "Set FACETWIN_HOST to an address of this machine: 127.0.0.1, or 0.0.0.0 for all."
        yield wrong("port", f"Nobody can listen on {place}: {error.strerror or error}.", mend)
        return
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    try:
        with Facetwin(
            f"http://{host}:{settings.port}{settings.root_path}", "", timeout_s=ASK_S, retries=NO_RETRIES
        ) as other:
            health = other.get_health()
    except ApiError:
        yield wrong("port", f"Another program listens on {place}.", "Stop it, or set FACETWIN_PORT to another port.")
        return
    if health.is_ready:
        yield ok("port", f"A facetwin service listens on {place} already, and is ready.")
    else:
        reasons = "; ".join(health.reasons)
        yield wrong("port", f"A facetwin service listens on {place}, and is not ready: {reasons}.", "See its log.")
