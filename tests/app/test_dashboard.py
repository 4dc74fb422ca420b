import json
import re
from pathlib import Path

from app.metrics import Metrics

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    expressions = [
        target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]
    ]
    metrics = Metrics()
    metrics.serves("a", "1", "b", "c", "cpu")
    metrics.batch(1)
    metrics.request("/verify", "POST", 422, 0.1, "no_face_found", {"encode": 1.0})
    there = set(re.findall(r"^(facetwin_\w+)", metrics.page().decode(), re.MULTILINE))
    asked = {name for expression in expressions for name in re.findall(r"facetwin_\w+", expression)}
    assert len(expressions) > 10
    assert asked <= there
    codes = {code for each in expressions for code in re.findall(r'code="(\w+)"', each)}
    from app.api.problems import STATUS

    assert codes <= set(STATUS)
