"""`facetwin doctor`."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from app.cli.client.options import AsJson
from app.cli.output import NO, YES, print_json

if TYPE_CHECKING:
    from app.cli.doctor.finding import Finding

COLOURS: Final = {"ok": "green", "warning": "yellow", "wrong": "red"}


def doctor(as_json: AsJson = False) -> None:
    """Look at this installation: what is wrong, and how to mend it. Changes nothing.

    It checks Python, packages, settings, device, memory, open files, disk, port, decoders, bundle and gallery, as
    FACETWIN_* name them. Status 0: nothing is wrong, apart from warnings. 1: something is.
    """
    findings: list[Finding] = []
    for each in examine():
        findings.append(each)
        if not as_json:
            _print(each)
    is_fine = all(each.state != "wrong" for each in findings)
    if as_json:
        print_json({"fine": is_fine, "findings": [asdict(each) for each in findings]})
    raise typer.Exit(YES if is_fine else NO)


def examine() -> "Iterator[Finding]":
    """Runs every check. A check that fails itself is a finding, too."""
    from app.cli.doctor import installation
    from app.cli.doctor.finding import wrong

    yield from _run("python", installation.check_python)
    yield from _run("packages", installation.check_packages)
    yield from _run("packages", installation.check_multipart)
    try:
        from app.cli.doctor import machine, serving

        settings = serving.read_settings()
    except ImportError as error:
        yield wrong("packages", f"The service cannot be imported: {error}.", installation.REINSTALL)
        return
    if isinstance(settings, list):
        yield from settings
        return
    checks = {
        "settings": serving.check_settings,
        "device": machine.check_device,
        "memory": machine.check_memory,
        "open files": machine.check_open_files,
        "disk": machine.check_disk,
        "port": machine.check_port,
        "decoders": serving.check_decoders,
        "bundle": serving.check_bundle,
        "gallery": serving.check_gallery,
    }
    for subject, check in checks.items():
        yield from _run(subject, partial(check, settings))


def _run(subject: str, check: "Callable[[], Iterator[Finding]]") -> "Iterator[Finding]":
    from app.cli.doctor.finding import wrong

    try:
        yield from check()
    except Exception as error:
        yield wrong(subject, f"The check itself failed: {type(error).__name__}: {error}", "Report this to facetwin.")


def _print(finding: "Finding") -> None:
    typer.secho(f"{finding.state:8}", fg=COLOURS[finding.state], nl=False)
    typer.echo(f"{finding.subject:11}{finding.message}")
    if finding.mend:
        typer.echo(f"{'':19}-> {finding.mend}")
