import json
import re
from pathlib import Path

from app.api.problems import STATUS
from app.metrics import Metrics

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"


def test_the_dashboard_uses_only_existing_metrics_and_codes() -> None:
    expressions = [
        target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]
    ]
    metrics = Metrics()
    metrics.set_bundle("a", "1", "b", "c", "cpu")
    metrics.observe_batch(1)
    metrics.observe_request("/verify", "POST", 422, 0.1, "no_face_found", {"encode": 1.0})
    exported = set(re.findall(r"^(facetwin_\w+)", metrics.render().decode(), re.MULTILINE))
    used = {name for expression in expressions for name in re.findall(r"facetwin_\w+", expression)}
    assert len(expressions) > 10
    assert used <= exported
    codes = {code for each in expressions for code in re.findall(r'code="(\w+)"', each)}
    assert codes <= set(STATUS)
