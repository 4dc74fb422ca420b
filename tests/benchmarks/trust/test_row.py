from io import StringIO

import pytest
from rich.console import Console

from benchmarks.trust.row import Row, faults_of, make_table


def test_a_row_fails_for_a_fault_for_what_is_lost_and_for_what_is_leaked() -> None:
    assert Row("photos", 1, lost=0, leaked=0).verdict == "passed"
    for broken in (Row("photos", 1, lost=1), Row("photos", 1, leaked=2), Row("photos", 1, faults=["late"])):
        assert broken.verdict == "FAILED"


def test_a_row_that_tried_nothing_fails() -> None:
    assert Row("photos").verdict == "FAILED"


def test_what_was_not_checked_has_not_passed_and_does_not_hide_a_fault() -> None:
    assert Row("audit", not_checked=["no connection"]).verdict == "not checked"
    assert Row("audit", not_checked=["no connection"], faults=["CVE-1"]).verdict == "FAILED"


def test_an_exception_is_a_fault_of_its_row() -> None:
    row = Row("photos")
    with faults_of(row):
        raise ValueError("broken")
    assert row.faults == ["ValueError: broken"]


def test_an_interruption_ends_the_run() -> None:
    with pytest.raises(KeyboardInterrupt), faults_of(Row("photos")):
        raise KeyboardInterrupt


def test_a_requirement_that_is_not_met_is_a_fault() -> None:
    row = Row("photos")
    row.require(True, "never")
    row.require(0, "late")
    assert row.faults == ["late"]


def test_the_table_shows_answers_and_faults_of_every_row() -> None:
    row = Row("photos", lost=0, faults=["late"])
    for _ in range(1200):
        row.see("decoded")
    output = StringIO()
    Console(file=output, width=120).print(make_table([row, Row("audit", not_checked=["no connection"])]))
    shown = output.getvalue()
    for part in ("1,200", "decoded: 1,200", "FAULT: late", "FAILED", "not checked: no connection"):
        assert part in shown
