import os
from pathlib import Path

import pytest

from app.metrics import FOLDER, Metrics, forget_the_dead
from model.runtime.forms import Choice, Form


def test_each_service_counts_for_itself() -> None:
    first, second = Metrics(), Metrics()
    first.request("/verify", "POST", 429, 0.01, "overloaded", {})
    assert b'facetwin_problems_total{code="overloaded"} 1.0' in first.page()
    assert b"overloaded" not in second.page()


def test_the_bundle_is_named() -> None:
    metrics = Metrics()
    metrics.serves("deploy", "1", "abc", "locator-1", "cpu")
    assert b'encoder_id="abc",name="deploy",version="1"} 1.0' in metrics.page()


def test_the_time_of_every_form_of_a_network_is_told_and_which_one_serves() -> None:
    metrics = Metrics()
    metrics.forms("encoder", [Choice((8, 150, 150, 3), Form.FUSED, {Form.FROZEN: 90.0, Form.FUSED: 80.0})])
    page = metrics.page().decode()
    labels = 'network="encoder",serves="{}",shape="8x150x150x3"'
    assert f'facetwin_network_seconds{{form="fused",{labels.format("yes")}}} 0.08' in page
    assert f'facetwin_network_seconds{{form="frozen",{labels.format("no")}}} 0.09' in page


def test_a_process_that_was_killed_is_inside_no_request_any_more(tmp_path: Path) -> None:
    alive, dead = tmp_path / f"gauge_livesum_{os.getpid()}.db", tmp_path / "gauge_livesum_99999999.db"
    counted = tmp_path / "counter_99999999.db"
    for file in (alive, dead, counted):
        file.touch()
    forget_the_dead(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, counted])


def test_without_other_processes_no_folder_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    assert b"facetwin_requests_inside 0.0" in Metrics().page()
