"""What the service is made of: an SBOM of an environment that serves, and the known vulnerabilities of its packages."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.trust.row import Options, Row, faults_of

TOOLS: Final = Path(sys.executable).parent
ROOT: Final = Path(__file__).parents[2]


def attack(options: Options) -> Iterator[Row]:
    """Yields the rows of the SBOM and of the audit."""
    bill, audit = Row("SBOM of the serving environment (CycloneDX)"), Row("known vulnerabilities of its packages")
    environment = options.build / "serving"
    with faults_of(bill):
        _install(environment)
        components = _write_bill(environment, options.build / "sbom.json")
        bill.inputs = len(components)
        bill.seen["packages listed"] = len(components)
        for name in ("facetwin", "torch", "fastapi", "pillow", "sqlalchemy", "psycopg"):
            bill.require(name in components, f"{name} is not listed")
    with faults_of(audit):
        _audit(environment, audit)
    yield from (bill, audit)


def _install(environment: Path) -> None:
    """Makes an environment with what the image has: the service, also with PostgreSQL."""
    uv = str(TOOLS / "uv")
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)])
    _run([
        uv, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python"),
        "--constraint", str(ROOT / "constraints.txt"), f"{ROOT}[postgres]",
    ])  # fmt: skip


def _write_bill(environment: Path, target: Path) -> set[str]:
    """Writes the SBOM and returns the names of its components. The tool validates it."""
    _run([
        str(TOOLS / "cyclonedx-py"), "environment", str(environment / "bin" / "python"), "--of", "JSON",
        "--output-reproducible", "--validate", "--pyproject", str(ROOT / "pyproject.toml"), "-o", str(target),
    ])  # fmt: skip
    bill = json.loads(target.read_text())
    named = [*bill["components"], bill["metadata"]["component"]]
    return {str(each["name"]).lower() for each in named}


def _audit(environment: Path, row: Row) -> None:
    (packages,) = (environment / "lib").glob("python*/site-packages")
    command = [str(TOOLS / "pip-audit"), "--path", str(packages), "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run([*command, "--timeout", "15"], capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        row.not_checked.append(f"the advisory service cannot be reached: {reason[:160]}")
        return
    for package in found:
        if "skip_reason" in package and package["name"] != "facetwin":  # which is on no index
            row.not_checked.append(f"{package['name']}: {package['skip_reason'][:80]}")
            row.see("not known to the advisory service")
            continue
        row.see("with known vulnerabilities" if package.get("vulns") else "without")
        for each in package.get("vulns", ()):
            fixed = ", ".join(each["fix_versions"]) or "nothing yet"
            row.require(False, f"{package['name']} {package['version']}: {each['id']}, fixed in {fixed}")


def _run(command: list[str]) -> None:
    """Runs a command. Raises RuntimeError with the end of what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr[-300:]}")
