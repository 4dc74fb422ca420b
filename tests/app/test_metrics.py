import os
from pathlib import Path

import pytest

from app.metrics import MULTIPROCESS_FOLDER, Metrics, remove_dead_processes
from model.runtime.forms import Choice, Form


def test_each_instance_counts_separately() -> None:
    first, second = Metrics(), Metrics()
    first.observe_request("/verify", "POST", 429, 0.01, "overloaded", {})
    assert b'facetwin_problems_total{code="overloaded"} 1.0' in first.render()
    assert b"overloaded" not in second.render()


def test_the_bundle_in_use_is_exported() -> None:
    metrics = Metrics()
    metrics.set_bundle("deploy", "1", "abc", "detector-2", "cpu")
    assert b'encoder_id="abc",name="deploy",version="1"} 1.0' in metrics.render()


def test_the_time_of_every_form_is_exported_and_the_one_in_use_is_marked() -> None:
    metrics = Metrics()
    metrics.set_network_seconds(
        "encoder", [Choice((8, 150, 150, 3), Form.FUSED, {Form.FROZEN: 90.0, Form.FUSED: 80.0})]
    )
    page = metrics.render().decode()
    labels = 'network="encoder",serves="{}",shape="8x150x150x3"'
    assert f'facetwin_network_seconds{{form="fused",{labels.format("yes")}}} 0.08' in page
    assert f'facetwin_network_seconds{{form="frozen",{labels.format("no")}}} 0.09' in page


def test_live_gauges_of_killed_processes_are_removed_and_counters_stay(tmp_path: Path) -> None:
    alive, dead = tmp_path / f"gauge_livesum_{os.getpid()}.db", tmp_path / "gauge_livesum_99999999.db"
    counted = tmp_path / "counter_99999999.db"
    for file in (alive, dead, counted):
        file.touch()
    remove_dead_processes(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, counted])


def test_a_single_process_needs_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MULTIPROCESS_FOLDER, raising=False)
    assert b"facetwin_requests_in_flight 0.0" in Metrics().render()
