from pathlib import Path
from typing import Any

import pytest
import yaml

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="the extra dev is not installed")

MANIFEST = Path(__file__).parents[2] / "docs" / "kubernetes.yaml"


def read_resources() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))


def test_every_resource_is_what_kubernetes_expects() -> None:
    resources = read_resources()
    assert [resource["kind"] for resource in resources] == ["PersistentVolumeClaim", "Deployment", "Service"]
    for resource in resources:
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


def test_the_pod_has_no_privileges_and_its_probes_ask_the_right_routes() -> None:
    deployment = read_resources()[1]["spec"]["template"]["spec"]
    (container,) = deployment["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/healthz"}
