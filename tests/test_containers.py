"""The container files, as far as they can be checked without an engine."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.api.routes import PHOTOS
from app.body_limits import BodyLimits
from app.settings import Settings
from scripts.replicas.compose import read_compose, replica_health_check, service_options

ROOT = Path(__file__).parents[1]
DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}
UNITS = {"k": 1024, "m": 1024**2, "s": 1}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def nginx(compose: dict[str, Any]) -> str:
    """nginx's configuration, as the container gets it, without comments."""
    content: str = compose["configs"]["balancer"]["content"]
    assert not re.search(r"(?<!\$)\$(?!\$)", content), "compose would replace a single $"
    return re.sub(r"#.*", "", content.replace("$$", "$"))


def directive(config: str, name: str) -> str:
    (value,) = re.findall(rf"^\s*{name}\s+([^;]+);", config, re.MULTILINE)
    return str(value)


def quantity(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


def test_the_balancer_lets_pass_every_body_that_the_service_accepts(nginx: str) -> None:
    limits = BodyLimits(PHOTOS, DEFAULTS["max_image_bytes"], DEFAULTS["max_held_bytes"])
    assert quantity(directive(nginx, "client_max_body_size")) >= max(map(limits.largest, PHOTOS))


def test_the_balancer_writes_no_photo_to_a_file(nginx: str) -> None:
    assert directive(nginx, "proxy_request_buffering") == "off"
    assert directive(nginx, "proxy_max_temp_file_size") == "0"
    assert directive(nginx, "proxy_http_version") == "1.1"  # 1.0 would buffer bodies sent in chunks


def test_the_balancer_logs_no_path(nginx: str) -> None:
    name, log_format = directive(nginx, "log_format").split(" ", 1)
    assert directive(nginx, "access_log").split()[1] == name
    variables = set(re.findall(r"\$(\w+)", log_format))
    assert not variables & {"request", "request_uri", "uri", "args", "query_string", "http_referer", "remote_user"}
    assert directive(nginx, "error_log").split()[1] == "emerg"  # milder messages quote the request


def test_the_balancer_says_whose_request_it_is_and_the_replicas_believe_nobody_else(
    nginx: str, compose: dict[str, Any]
) -> None:
    # Set, not appended: what the client says of itself is dropped.
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    trusted = {name for name, each in compose["services"].items() if "FACETWIN_TRUSTED_PROXIES" in str(each)}
    assert trusted == {"replica"}
    assert not compose["services"]["replica"]["ports"]


def test_the_balancer_answers_for_a_lost_replica_with_a_problem_document(nginx: str) -> None:
    found = re.search(r"return 502 '(.*)';", nginx)
    assert found is not None
    problem = json.loads(found[1])
    assert {"type", "title", "status", "detail", "code", "request_id"} == set(problem)
    assert "default_type application/problem+json;" in nginx


def test_the_replicas_check_knows_every_option_of_the_compose_file() -> None:
    read = read_compose({"POSTGRES_PASSWORD": "secret"})
    assert read["services"]["replica"]["environment"]["FACETWIN_GALLERY_URL"].endswith(":secret@postgres/facetwin")
    for name in ("postgres", "replica", "balancer"):
        options = service_options(read["services"][name])
        assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges=true"} <= set(options)
    with pytest.raises(ValueError, match="privileged"):
        service_options({"privileged": True})
    assert replica_health_check()[0] == "python3"


def test_the_balancer_resolves_the_replicas_again(nginx: str, compose: dict[str, Any]) -> None:
    assert "resolve" in directive(nginx, "server replica:8000").split()
    assert quantity(directive(nginx, "resolver").split("valid=")[1].split()[0]) <= 30
    assert re.search(r"^\s*zone \w+ ", nginx, re.MULTILINE)  # without shared memory, `resolve` is refused
    version = re.search(r":(\d+)\.(\d+)\.", compose["services"]["balancer"]["image"])
    assert version is not None
    assert (int(version[1]), int(version[2])) >= (1, 28)  # the first stable one that has `resolve`


def test_the_balancer_waits_longer_than_the_service_takes(nginx: str, compose: dict[str, Any]) -> None:
    assert quantity(directive(nginx, "proxy_read_timeout")) > DEFAULTS["deadline_s"]
    for name in ("facetwin", "replica"):
        longest = DEFAULTS["upload_s"] + DEFAULTS["deadline_s"] + 1
        assert quantity(compose["services"][name]["stop_grace_period"]) > longest


def test_postgresql_is_ready_only_when_it_answers_over_tcp(compose: dict[str, Any]) -> None:
    command = compose["services"]["postgres"]["healthcheck"]["test"]
    assert command[command.index("-h") + 1] == "127.0.0.1"
    assert compose["services"]["replica"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_every_container_is_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["restart"] == "unless-stopped", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_every_image_has_a_full_version_and_a_digest(compose: dict[str, Any]) -> None:
    built = {service["image"] for service in compose["services"].values() if "build" in service}
    images = {service["image"] for service in compose["services"].values()} - built
    images.add(re.findall(r"^ARG PYTHON_IMAGE=(\S+)", dockerfile(), re.MULTILINE)[0])
    assert len(images) == 3
    for image in images:
        assert re.search(r":\d+\.\d+\.\d+[a-z0-9-]*@sha256:[0-9a-f]{64}$", image), image


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def test_an_edit_of_the_code_installs_no_requirement_again() -> None:
    lines = dockerfile().splitlines()
    copied = next(number for number, line in enumerate(lines) if line.startswith("COPY app"))
    installed = [number for number, line in enumerate(lines) if "pip install" in line and "--no-deps" not in line]
    assert installed
    assert max(installed) < copied


def test_the_image_has_the_client_from_this_repository() -> None:
    text = dockerfile()
    before, _, code = text.partition("COPY app")
    assert "COPY clients" not in before
    assert "echo facetwin-client >/tmp/ours" in before
    assert "--excludes /tmp/ours" in before
    assert "COPY clients/python clients/python" in code
    assert "--no-deps --target /opt/code ./clients/python ." in code
    assert "!clients/python" in (ROOT / ".dockerignore").read_text().splitlines()


def test_uv_has_a_version_and_the_extra_of_the_replicas_exists(compose: dict[str, Any]) -> None:
    assert re.search(r"\buv==\d+\.\d+\.\d+", dockerfile())
    extra = compose["services"]["replica"]["build"]["args"]["EXTRA"]
    assert f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text()
    assert "ARG EXTRA=" in dockerfile()


def check_image(tmp_path: Path, **stubs: str) -> subprocess.CompletedProcess[str]:
    """Runs the check with commands that answer as given, and no others."""
    answers = {"id": "echo 10001", "python3": 'case "$2" in *training*) exit 1;; esac', **stubs}
    for name, body in answers.items():
        command = tmp_path / name
        command.write_text(f"#!/bin/sh\n{body}\n")
        command.chmod(0o755)
    environment = {"PATH": str(tmp_path), "SOURCES": str(tmp_path / "src")}
    script = ROOT / "scripts" / "check-inside-image.sh"
    return subprocess.run(["/bin/sh", script], env=environment, capture_output=True, text=True, check=False)


def test_the_image_check_accepts_a_right_image(tmp_path: Path) -> None:
    assert check_image(tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("stubs", "message"),
    [
        ({"id": "echo 0"}, "user 0"),
        ({"src": ""}, "sources"),
        ({"python3": "exit 0"}, "training code"),
        ({"python3": "exit 1"}, "cannot be imported"),
        ({"python3": 'case "$2" in *training* | *page*) exit 1;; esac'}, "the page is missing"),
        ({"gcc": ""}, "gcc"),
        ({"uv": ""}, "uv"),
    ],
)
def test_the_image_check_finds_each_fault(tmp_path: Path, stubs: dict[str, str], message: str) -> None:
    done = check_image(tmp_path, **stubs)
    assert done.returncode == 1
    assert message in done.stderr


def test_the_image_check_runs_with_and_without_an_engine() -> None:
    script = (ROOT / "scripts" / "image-check.sh").read_text()
    assert script.count("<scripts/check-inside-image.sh") == 2
