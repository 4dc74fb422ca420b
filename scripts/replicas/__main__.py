"""Starts PostgreSQL, replicas and nginx as docker-compose.yml says, sends requests through nginx, kills one replica.

Run by scripts/replicas-check.sh, which builds the images. Prints what the clients saw. Ends with 1 if an acknowledged
enrollment is lost or doubled, if an answer was not a documented one, or if the killed replica does not come back.
"""

import argparse
import os
import signal
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from scripts.replicas.compose import Podman, read_compose, replica_health_check, service_options
from scripts.replicas.load import Client, Ledger, stored_templates

NETWORK: Final = "facetwin-check"
START_S: Final = 300.0
CLIENTS: Final = 4
# What a client may see while a replica dies, besides 200 and 201: README, section Deploy.
DOCUMENTED: Final = frozenset(
    {
        "200",
        "201",
        "429 overloaded",
        "502 replica_lost",
        "503 gallery_unavailable",
        "503 not_ready",
        "504 deadline_exceeded",
    }
)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60, help="of load; a replica is killed after a third")
    parser.add_argument("--image", action="append", default=[], help="SERVICE=IMAGE instead of the one in the file")
    given = parser.parse_args()
    images = dict(each.split("=", 1) for each in given.image)
    compose = read_compose({"POSTGRES_PASSWORD": "secret"})
    podman = Podman(NETWORK)
    with tempfile.TemporaryDirectory(prefix="facetwin-") as folder:
        names: list[str] = []
        podman("network", "rm", "--force", NETWORK, check=False)
        gateway = _create_network(podman)
        try:
            url = _start(podman, compose, images, gateway, Path(folder), names)
            return _attack(podman, names, url, given.seconds)
        except Exception:
            for name in names:
                print(f"--- {name}\n{podman('logs', '--tail=20', name, check=False)}", file=sys.stderr)
            raise
        finally:
            for name in reversed(names):
                podman("rm", "--force", "--time=0", "--volumes", name, check=False)
            podman("network", "rm", "--force", NETWORK, check=False)


def _create_network(podman: Podman) -> str:
    """Returns the address of the network's name server."""
    podman("network", "create", NETWORK)
    return podman("network", "inspect", "--format={{(index .Subnets 0).Gateway}}", NETWORK)


def _start(
    podman: Podman,
    compose: Mapping[str, Any],
    images: Mapping[str, str],
    gateway: str,
    folder: Path,
    names: list[str],
) -> str:
    """Starts the services in the order of `depends_on`, and returns the balancer's URL."""
    services = compose["services"]

    def run(name: str, service: str, *more: str) -> None:
        names.append(f"{NETWORK}-{name}")
        image = images.get(service, services[service]["image"])
        podman.run(names[-1], service, [*service_options(services[service]), *more], image)

    run("postgres", "postgres", "--volume=/var/lib/postgresql/data")
    check = services["postgres"]["healthcheck"]["test"][1:]
    _wait("PostgreSQL", lambda: podman.succeeds("exec", names[0], *check))
    for number in range(services["replica"]["deploy"]["replicas"]):
        run(f"replica-{number + 1}", "replica")
    for name in names[1:]:
        _wait(name, lambda name=name: podman.succeeds("exec", name, *replica_health_check()))  # type: ignore[misc]
    config = folder / "default.conf"
    # 127.0.0.11 is Docker's name server; podman's is the gateway.
    config.write_text(compose["configs"]["balancer"]["content"].replace("127.0.0.11", gateway))
    config.chmod(0o644)
    folder.chmod(0o755)
    target = services["balancer"]["configs"][0]["target"]
    published = services["balancer"]["ports"][0].rsplit(":", 1)
    run("balancer", "balancer", f"--volume={config}:{target}:ro", f"--publish={':'.join(published)}")
    url = f"http://localhost:{published[0].rsplit(':', 1)[1]}"
    _wait("nginx", lambda: _is_ready(url))
    return url


def _attack(podman: Podman, names: list[str], url: str, seconds: float) -> int:
    ledger, stop = Ledger(), threading.Event()
    clients = [Client(url, _photos(), ledger, stop) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    victim = names[2]
    time.sleep(seconds / 3)
    process = podman.process(victim)
    os.kill(process, signal.SIGKILL)
    killed = time.monotonic()
    before = sum(ledger.answers.values())
    print(f"{victim} is killed after {before} answers.")
    time.sleep(seconds * 2 / 3)
    stop.set()
    for client in clients:
        client.join()
    back = _wait_for(lambda: podman.process(victim) not in (0, process), START_S)
    if back:
        back = _wait_for(lambda: podman.succeeds("exec", victim, *replica_health_check()), START_S)
    return _report(ledger, stored_templates(url), time.monotonic() - killed if back else None)


def _report(ledger: Ledger, stored: Mapping[str, set[str]], back_s: float | None) -> int:
    for answer, count in sorted(ledger.answers.items()):
        print(f"{count:6}  {answer}")
    lost = [name for name, template in ledger.acknowledged.items() if template not in stored.get(name, set())]
    doubled = [name for name, templates in stored.items() if len(templates) > 1]
    unexpected = sorted(each for each in ledger.answers if each.split(" ", 1)[1] not in DOCUMENTED)
    print(f"{len(ledger.acknowledged)} enrollments acknowledged; lost: {len(lost)}; doubled: {len(doubled)}")
    print(f"answers that are not documented: {', '.join(unexpected) or 'none'}")
    print(f"slowest answer: {ledger.slowest_s:.1f} s")
    print("the killed replica " + ("did not come back" if back_s is None else f"served again by {back_s:.0f} s"))
    return int(bool(lost or doubled or unexpected or ledger.broken or back_s is None or not ledger.acknowledged))


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def _wait(what: str, is_ready: Callable[[], bool]) -> None:
    if not _wait_for(is_ready, START_S):
        raise RuntimeError(f"{what} was not ready within {START_S:g} s")
    print(f"{what} is ready.")


def _wait_for(is_ready: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_ready():
            return True
        time.sleep(1)
    return False


def _photos() -> list[bytes]:
    from training.data.sets.lfw import find_data_folder

    with tarfile.open(find_data_folder() / "lfw" / "lfw.tar") as photos:
        files = [photos.extractfile(f"lfw/Aaron_Peirsol/Aaron_Peirsol_000{number}.jpg") for number in (1, 2, 3)]
        return [file.read() for file in files if file is not None]


if __name__ == "__main__":
    sys.exit(main())
