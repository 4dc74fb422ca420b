"""Checks of what is installed: Python, the operating system, the packages."""

import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version

from packaging.requirements import Requirement

from app.cli.doctor.finding import Finding, ok, warning, wrong

REINSTALL = "Install it again: in a clone `make serve` does, elsewhere `pip install`, with constraints.txt."


def check_python(version_info: tuple[int, ...] = sys.version_info[:3], system: str = sys.platform) -> Iterator[Finding]:
    """The versions that torch.jit supports; the service needs Linux's memory files and control groups."""
    found = f"{platform.python_implementation()} {'.'.join(map(str, version_info))} on {system}"
    if not (3, 11) <= version_info[:2] < (3, 14):
        yield wrong("python", found, "Install Python 3.11, 3.12 or 3.13, and make the environment again with it.")
    elif system != "linux":
        yield wrong("python", found, "The service needs Linux: run it in a container (docker compose up).")
    else:
        yield ok("python", found)


def check_packages(
    requirements: Callable[[str], list[str] | None] = requires, installed: Callable[[str], str] = version
) -> Iterator[Finding]:
    """Every package that facetwin requires, in a version that it accepts."""
    try:
        needed = [Requirement(each) for each in requirements("facetwin") or ()]
    except PackageNotFoundError:
        yield wrong("packages", "facetwin itself is not installed in this environment.", REINSTALL)
        return
    bad: list[str] = []
    for each in needed:
        if each.marker is not None and not each.marker.evaluate({"extra": ""}):
            continue
        try:
            if not each.specifier.contains(installed(each.name), prereleases=True):
                bad.append(f"{each.name} {installed(each.name)} instead of {each.specifier}")
        except PackageNotFoundError:
            bad.append(f"{each.name} is missing")
    if bad:
        yield wrong("packages", "; ".join(bad), REINSTALL)
    else:
        shown = ", ".join(
            f"{name} {installed(name)}" for name in ("facetwin", "torch", "torchvision", "numpy", "pillow")
        )
        yield ok("packages", shown)


def check_multipart(
    owners: Callable[[], dict[str, list[str]]] = lambda: dict(packages_distributions()),
) -> Iterator[Finding]:
    """python-multipart has a module of the same name as multipart, which reads the service's forms."""
    if "python-multipart" in owners().get("multipart", ()):
        yield warning(
            "packages",
            "python-multipart is installed, too. Its module may hide the one that reads forms.",
            "pip uninstall python-multipart, then pip install --force-reinstall multipart",
        )
