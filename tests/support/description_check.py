"""Requests that schemathesis makes from a running service's own description, and all its checks of the answers."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# For the hooks: path of a photo with a face, and the service's key.
PHOTO_VARIABLE, KEY_VARIABLE = "TRUST_PHOTO", "TRUST_KEY"
# A photo may show no face, have no format, or miss a required quality: refusals that no schema can express. Nor can a
# schema of free JSON say that metadata may not have NUL characters.
CONFIGURATION: Final = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "404", "409", "415", "422"]
[generation]
allow-x00 = false
"""


@dataclass(frozen=True)
class DescriptionCheck:
    """The outcome of one run."""

    requests: int
    routes: int
    faults: tuple[str, ...]  # a kind of fault and the operations that have it
    log: Path  # with the requests that showed the faults


def check_description(
    url: str,
    key: str,
    photo: bytes,
    folder: Path,
    examples: int,
    phases: str = "examples,coverage,fuzzing,stateful",
    tags: tuple[str, ...] = (),
) -> DescriptionCheck:
    """Checks a service that requires `key`, with `examples` random requests a route besides those at the limits.

    `tags` are those of the routes to check, by default all.

    Raises RuntimeError if the run did not end.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    configuration, report, log = folder / "schemathesis.toml", folder / "report.json", folder / "schemathesis.log"
    configuration.write_text(CONFIGURATION)
    (folder / "photo").write_bytes(photo)
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(configuration),
        "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {key}", "--checks", "all",
        "--phases", phases, "--max-examples", str(examples), "--seed", "1", "--generation-database", "none",
        "--continue-on-failure", "--no-color", "--request-timeout", "60",
        "--report", "json", "--report-json-path", str(report), *(f"--include-tag={tag}" for tag in tags),
    ]  # fmt: skip
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.support.description_hooks",
        PHOTO_VARIABLE: str(folder / "photo"),
        KEY_VARIABLE: key,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with log.open("w") as output:
        # It keeps a folder of its own where it runs.
        subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    if not report.exists() or not (found := json.loads(report.read_text()))["complete"]:
        raise RuntimeError(f"schemathesis did not end: {log.read_text()[-2000:]}")
    faults = [f"{each['title']}: {', '.join(each['operations'])}" for each in found["failures"]]
    faults += [f"error: {each}" for each in found["errors"]]
    return DescriptionCheck(found["test_cases"]["generated"], found["operations"]["tested"], tuple(faults), log)
