"""docker-compose.yml as commands of podman: what compose would do, for the options that the file uses."""

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
VARIABLE: Final = re.compile(r"\$(?:(\$)|\{(\w+):-([^}]*)\})")
HEALTHCHECK: Final = re.compile(r"^HEALTHCHECK .*?CMD (\[.*\])$", re.MULTILINE)
# Options of a service that this translates. Another one is an error: it would not be tested.
KNOWN: Final = frozenset(
    {
        "build",
        "cap_add",
        "cap_drop",
        "configs",
        "depends_on",
        "deploy",
        "environment",
        "healthcheck",
        "image",
        "ports",
        "profiles",
        "read_only",
        "restart",
        "security_opt",
        "shm_size",
        "stop_grace_period",
        "tmpfs",
        "volumes",
    }
)


def read_compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """Reads the file with its variables filled in, from `variables` or by their defaults."""

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return VARIABLE.sub(lambda found: found[1] or variables.get(found[2], found[3]), value)
        if isinstance(value, list):
            return [fill(each) for each in value]
        return {key: fill(each) for key, each in value.items()} if isinstance(value, dict) else value

    filled: dict[str, Any] = fill(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))
    return filled


def service_options(service: Mapping[str, Any]) -> list[str]:
    """Returns `podman run`'s options for a service, but for its image, ports, volumes and configs."""
    unknown = set(service) - KNOWN
    if unknown:
        raise ValueError(f"scripts/replicas/compose.py does not know the options {', '.join(sorted(unknown))}")
    options = [f"--env={name}={value}" for name, value in service.get("environment", {}).items()]
    options += [f"--cap-drop={each}" for each in service.get("cap_drop", [])]
    options += [f"--cap-add={each}" for each in service.get("cap_add", [])]
    options += [f"--security-opt={each.replace(':', '=')}" for each in service.get("security_opt", [])]
    options += [f"--tmpfs={each}" for each in service.get("tmpfs", [])]
    if "restart" in service:
        options.append(f"--restart={service['restart']}")
    if "shm_size" in service:
        options.append(f"--shm-size={service['shm_size']}")
    if service.get("read_only"):
        # As in Docker, nothing but what is named is writable.
        options += ["--read-only", "--read-only-tmpfs=false"]
    return options


def replica_health_check() -> list[str]:
    """Returns the command of the Dockerfile's HEALTHCHECK."""
    found = HEALTHCHECK.search((ROOT / "Dockerfile").read_text())
    if found is None:
        raise ValueError("the Dockerfile has no HEALTHCHECK")
    command: list[str] = json.loads(found[1])
    return command


class Podman:
    """podman as root, without cgroups and without systemd."""

    # A container may not ask for more files and processes than this session may have.
    RUN: Final = ("--cgroups=disabled", "--ulimit=nofile=8192:8192", "--ulimit=nproc=8192:8192")

    def __init__(self, network: str) -> None:
        self._network = network
        self._command = ["podman", "--storage-driver", os.environ.get("STORAGE_DRIVER", "overlay"), "--runtime", "crun"]

    def __call__(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"podman {' '.join(arguments[:2])}: {done.stderr.strip()}")
        return done.stdout.strip()

    def succeeds(self, *arguments: str) -> bool:
        return subprocess.run([*self._command, *arguments], capture_output=True, check=False).returncode == 0

    def run(self, name: str, alias: str, options: Sequence[str], image: str) -> None:
        """Starts a container in the background, whose name in the network is `alias`."""
        network = [f"--network={self._network}", f"--network-alias={alias}"]
        self("run", "--detach", f"--name={name}", *network, *self.RUN, *options, image)

    def process(self, name: str) -> int:
        """Returns the id of the container's first process; 0 while it does not run."""
        return int(self("inspect", "--format={{.State.Pid}}", name, check=False) or 0)
