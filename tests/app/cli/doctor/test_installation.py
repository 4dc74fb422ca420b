from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest

from app.cli.doctor.installation import check_multipart, check_packages, check_python


@pytest.mark.parametrize(
    ("version", "system", "state"),
    [
        ((3, 11, 7), "linux", "ok"),
        ((3, 14, 0), "linux", "wrong"),
        ((3, 10, 1), "linux", "wrong"),
        ((3, 12, 0), "darwin", "wrong"),
    ],
)
def test_python_and_the_system_must_be_supported(version: tuple[int, ...], system: str, state: str) -> None:
    (finding,) = check_python(version, system)
    assert (finding.state, bool(finding.mend)) == (state, state != "ok")


def test_this_installation_has_what_it_needs() -> None:
    (finding,) = check_packages()
    assert finding.state == "ok"
    assert "torch 2." in finding.message


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("torch==9.9", "instead of ==9.9"),
        ("no-such-package>=1", "no-such-package is missing"),
    ],
)
def test_a_missing_or_wrong_package_is_named(requirement: str, message: str) -> None:
    (finding,) = check_packages(lambda name: [requirement, "numpy>=2", "absent-extra>1; extra == 'x'"])
    assert finding.state == "wrong"
    assert message in finding.message
    assert "numpy" not in finding.message
    assert "absent-extra" not in finding.message
    assert finding.mend


def test_an_installation_without_metadata_is_named() -> None:
    def absent(name: str) -> Any:
        raise PackageNotFoundError(name)

    (finding,) = check_packages(absent)
    assert "not installed" in finding.message


def test_two_packages_with_one_module_are_found() -> None:
    (finding,) = check_multipart(lambda: {"multipart": ["multipart", "python-multipart"]})
    assert finding.state == "warning"
    assert "pip uninstall python-multipart" in finding.mend
    assert not list(check_multipart(lambda: {"multipart": ["multipart"]}))
